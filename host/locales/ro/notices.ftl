# Ce spune pm oamenilor, în română. Fiecare mesaj este un eveniment: valoarea lui este rezumatul (un subiect de scrisoare),
# atributul "detail" ce se mai știe. Cuvintele evenimentelor rămân; host/src/notify/texts.rs spune ce
# înseamnă $... și ce formă a unui număr alege FORM.

restart_failed = { $name } nu a putut fi repornit pe { $host }
    .detail = { FORM($attempts) ->
        [one] S-a încercat o dată: { $why }
        [few] S-a încercat de { $attempts } ori, ultima dată: { $why }
       *[other] S-a încercat de { $attempts } de ori, ultima dată: { $why }
    }
breaker_opened = pm nu mai repornește { $name } pe { $host }
    .detail = { FORM($count) ->
        [one] O repornire nu a ajutat.
        [few] { $count } reporniri nu au ajutat.
       *[other] { $count } de reporniri nu au ajutat.
    } Încă una se încearcă peste { $wait }. Până atunci trebuie să se uite cineva: pm why NUME spune de ce, pm reset NUME face ca pm să încerce imediat.
breaker_half_open = Se încearcă acum o repornire a lui { $name } pe { $host }
    .detail = Dacă nu ajută, pm așteaptă din nou.
breaker_closed = { $name } pe { $host } funcționează din nou
    .detail = O repornire a ținut, eșecurile dinainte sunt uitate.
group_opened = pm nu mai repornește grupul { $name } pe { $host }
    .detail = { $cause ->
        [budget] Bugetul lui de reporniri este epuizat.
        [correlation] Mai mulți membri au probleme: { $members }.
       *[trial] Repornirea încercată nu a ajutat: { $members }.
    } Un membru se încearcă peste { $wait }.
group_half_open = Se încearcă acum un membru al grupului { $name } pe { $host }
    .detail = Dacă ajută, urmează ceilalți.
group_closed = Grupul { $name } pe { $host } funcționează din nou
    .detail = Membrii lui se repornesc ca de obicei.
driver_paused = Strategia { $name } nu funcționează pe { $host }
    .detail = Lucrul de care depinde eșuează mereu. Nimic nu se repornește prin ea timp de { $wait }, apoi o repornire va arăta. Niciun proces nu este învinuit.
driver_back = Strategia { $name } funcționează din nou pe { $host }
    .detail = Repornirile prin ea continuă.
mass_alarm = { FORM($alarms) ->
        [one] Un proces din { $known } este în alarmă pe { $host }
        [few] { $alarms } procese din { $known } sunt deodată în alarmă pe { $host }
       *[other] { $alarms } de procese din { $known } sunt deodată în alarmă pe { $host }
    }
    .detail = Fiecare este verificat înainte de orice repornire.
mass_alarm_held = Cele mai multe alarme de pe { $host } par greșite
    .detail = { FORM($looked) ->
        [one] Procesul verificat este sănătos.
        [few] Din { $looked } procese verificate, sănătoase: { $healthy }.
       *[other] Din { $looked } de procese verificate, sănătoase: { $healthy }.
    } Se repornește numai ce o verificare găsește stricat. Ștergeți alarmele greșite (pm alarm clear) sau faceți ca pm să le creadă: pm release --mass-alarm
mass_alarm_believed = Alarmele de pe { $host } sunt crezute
    .detail = { $by ->
        [none] { $looked ->
            [0] Niciun proces nu are o verificare, deci nimic nu contrazice alarmele.
           *[other] { FORM($looked) ->
                [one] Procesul verificat este stricat.
                [few] Din { $looked } procese verificate, stricate: { $bad }.
               *[other] Din { $looked } de procese verificate, stricate: { $bad }.
            }
        }
       *[other] { $by } a cerut-o (pm release --mass-alarm).
    } Ce este în alarmă se tratează; ce are o verificare se verifică mai întâi.
mass_alarm_over = Alarma în masă de pe { $host } a trecut
    .detail = pm lucrează ca de obicei.
window_started = Fereastra de mentenanță { $name } pe { $host } a început
    .detail = { $reason ->
        [none] Nicio repornire în ea timp de { $wait }.
       *[other] { $reason }. Nicio repornire în ea timp de { $wait }.
    } { $covers ->
        [all] Acoperă toate procesele.
        [processes] Acoperă: { $processes }.
        [groups] Acoperă membrii grupurilor: { $groups }.
        [both] Acoperă: { $processes } și membrii grupurilor: { $groups }.
       *[unknown] pm maintenance list arată pe cine acoperă.
    }
window_ended = Fereastra de mentenanță { $name } pe { $host } s-a încheiat
    .detail = { $end ->
        [early] { $by ->
            [none] A fost înlăturată înainte de vreme.
           *[other] { $by } a înlăturat-o înainte de vreme.
        }
       *[planned] Timpul ei a trecut.
    } Ce este încă în alarmă se verifică din nou. { $covers ->
        [all] A acoperit toate procesele.
        [processes] A acoperit: { $processes }.
        [groups] A acoperit membrii grupurilor: { $groups }.
        [both] A acoperit: { $processes } și membrii grupurilor: { $groups }.
       *[unknown] Pe cine a acoperit nu se mai știe.
    }
host_silent = De la gazda { $name } nu s-a mai auzit nimic de { $wait }
    .detail = Nimeni nu repornește nimic pe { $machine }. Merge mașina, și merge pm pe ea? (Spus de { $host }.)
plugin_failing = Modulul { $name } al lui pm pe { $host } nu funcționează
    .detail = { $why }
database_lost = pm pe { $host } nu ajunge la baza de date a alarmelor
    .detail = { $why }. Încearcă până reușește; alarmele nu se pierd.
database_back = pm pe { $host } ajunge din nou la baza de date a alarmelor
    .detail = Alarmele sunt tratate.
test = Mesaj de probă de la pm pe { $host }
    .detail = L-a cerut un operator. Nu s-a întâmplat nimic.
held_back = { FORM($count) ->
        [one] Încă un mesaj de la pm pe { $host }
        [few] Încă { $count } mesaje de la pm pe { $host }
       *[other] Încă { $count } de mesaje de la pm pe { $host }
    }
    .detail = Au venit mai repede decât permite rate_limit. pm history și pm status arată ce s-a întâmplat.
held_back_lost = { FORM($count) ->
        [one] Un mesaj nu a putut fi livrat și s-a pierdut.
        [few] { $count } mesaje nu au putut fi livrate și s-au pierdut.
       *[other] { $count } de mesaje nu au putut fi livrate și s-au pierdut.
    }
repeated = { FORM($count) ->
        [one] S-a întâmplat o dată de când s-a spus ultima oară.
        [few] S-a întâmplat de { $count } ori de când s-a spus ultima oară.
       *[other] S-a întâmplat de { $count } de ori de când s-a spus ultima oară.
    }
