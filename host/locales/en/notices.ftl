# What pm tells people, in English. Each message is one event: its value is the summary (a subject line), the attribute
# "detail" what else is known. The words of the events stay; host/src/notify/texts.rs says what stands for
# $..., and which form of a number FORM chooses.

restart_failed = { $name } could not be restarted on { $host }
    .detail = { FORM($attempts) ->
        [one] It was tried once: { $why }
       *[other] It was tried { $attempts } times, the last time: { $why }
    }
breaker_opened = pm has stopped restarting { $name } on { $host }
    .detail = { FORM($count) ->
        [one] One restart did not help.
       *[other] { $count } restarts did not help.
    } One more is tried in { $wait }. Until then somebody has to look: pm why NAME tells why, pm reset NAME makes pm try at once.
breaker_half_open = One restart of { $name } on { $host } is tried now
    .detail = If it does not help, pm waits again.
breaker_closed = { $name } on { $host } is well again
    .detail = A restart lasted, earlier failures are forgotten.
group_opened = pm has stopped restarting the group { $name } on { $host }
    .detail = { $cause ->
        [budget] Its budget of restarts is used up.
        [correlation] Several members are in trouble: { $members }.
       *[trial] The restart that was tried did not help: { $members }.
    } One member is tried in { $wait }.
group_half_open = One member of the group { $name } on { $host } is tried now
    .detail = If that helps, the others follow.
group_closed = The group { $name } on { $host } is well again
    .detail = Its members are restarted as usual.
driver_paused = The strategy { $name } does not work on { $host }
    .detail = What it depends on fails again and again. Nothing is restarted by it for { $wait }, then one restart finds out. No process is blamed.
driver_back = The strategy { $name } works again on { $host }
    .detail = Restarts by it go on.
mass_alarm = { FORM($alarms) ->
        [one] One of { $known } processes is in alarm on { $host }
       *[other] { $alarms } of { $known } processes are in alarm at once on { $host }
    }
    .detail = Each is looked at before anything is restarted.
mass_alarm_held = Most alarms on { $host } seem to be wrong
    .detail = { FORM($looked) ->
        [one] The process that was looked at is healthy.
       *[other] { $healthy } of the { $looked } processes that were looked at are healthy.
    } Only what a check finds bad is restarted. Clear the wrong alarms (pm alarm clear), or make pm believe them: pm release --mass-alarm
mass_alarm_believed = The alarms on { $host } are believed
    .detail = { $by ->
        [none] { $looked ->
            [0] None of the processes has a check, so nothing speaks against the alarms.
           *[other] { FORM($looked) ->
                [one] The process that was looked at is bad.
               *[other] { $bad } of the { $looked } processes that were looked at are bad.
            }
        }
       *[other] { $by } has said so (pm release --mass-alarm).
    } What is in alarm is acted on; what has a check is looked at first.
mass_alarm_over = The mass alarm on { $host } is over
    .detail = pm works as usual.
window_started = The maintenance window { $name } on { $host } has begun
    .detail = { $reason ->
        [none] No restarts in it for { $wait }.
       *[other] { $reason }. No restarts in it for { $wait }.
    } { $covers ->
        [all] It covers all processes.
        [processes] It covers: { $processes }.
        [groups] It covers the members of: { $groups }.
        [both] It covers: { $processes }, and the members of: { $groups }.
       *[unknown] pm maintenance list shows whom it covers.
    }
window_ended = The maintenance window { $name } on { $host } has ended
    .detail = { $end ->
        [early] { $by ->
            [none] It was taken away before its time.
           *[other] { $by } removed it before its time.
        }
       *[planned] Its time is over.
    } What is still in alarm is looked at again. { $covers ->
        [all] It covered all processes.
        [processes] It covered: { $processes }.
        [groups] It covered the members of: { $groups }.
        [both] It covered: { $processes }, and the members of: { $groups }.
       *[unknown] Whom it covered is not known any more.
    }
host_silent = The host { $name } has not been heard of for { $wait }
    .detail = Nobody restarts anything on { $machine }. Does it run, and does pm run on it? (Told by { $host }.)
plugin_failing = The plugin { $name } of pm on { $host } does not work
    .detail = { $why }
database_lost = pm on { $host } cannot reach the alarm database
    .detail = { $why }. It tries again until it works; alarms are not lost.
database_back = pm on { $host } reaches the alarm database again
    .detail = Alarms are acted on.
test = Test notice of pm on { $host }
    .detail = An operator has asked for it. Nothing has happened.
held_back = { FORM($count) ->
        [one] One more notice of pm on { $host }
       *[other] { $count } more notices of pm on { $host }
    }
    .detail = They came faster than rate_limit allows. pm history and pm status show what happened.
held_back_lost = { FORM($count) ->
        [one] One notice could not be delivered and is lost.
       *[other] { $count } notices could not be delivered and are lost.
    }
repeated = { FORM($count) ->
        [one] It happened once since it was last told.
       *[other] It happened { $count } times since it was last told.
    }
