/* A plugin in C: restarts and checks what has a script in /etc/init.d, by `NAME restart` and `NAME status`. To build it:
 * cc -std=c11 -O2 -fPIC -shared -I ../../include -o libinitd.so initd.c */
#define _POSIX_C_SOURCE 200809L
#include "pm_plugin.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

PM_PLUGIN_MANIFEST("initd", "1.0.0", "strategy:initd check:initd ");
#define KEYS PM_KEY("initd_dir", "path", "/etc/init.d", "The directory of the scripts.")
PM_PLUGIN_SETTINGS(PM_PART("strategy:initd", KEYS) PM_PART("check:initd", KEYS));

static const struct pm_host_v1 *host;
struct part { int is_check; char dir[256]; };

/* As much JSON as is needed: the body comes from pm, so it is well formed or not meant for us.
 * Behind the value at `at`, or NULL when it never ends. */
static const char *skip(const char *at) {
    int depth = 0, quoted = 0;
    for (; *at; at++) {
        if (quoted && *at == '\\' && at[1]) at++;
        else if (*at == '"') quoted = !quoted;
        else if (quoted) continue;
        else if (*at == '{' || *at == '[') depth++;
        else if (depth == 0 && strchr(",}]", *at)) return at;
        else if (*at == '}' || *at == ']') depth--;
    }
    return NULL;
}

/* The value of `key` in the object at `at`; NULL when there is none. */
static const char *member(const char *at, const char *key) {
    if (at == NULL || *at != '{') return NULL;
    for (at++; at != NULL && *at == '"'; at = skip(at), at += at != NULL && *at == ',') {
        const char *name = at + 1;
        while (*++at && *at != '"') at += *at == '\\' && at[1];
        if (at[0] != '"' || at[1] != ':') return NULL;
        at += 2;
        if (strncmp(name, key, strlen(key)) == 0 && at == name + strlen(key) + 2) return at;
    }
    return NULL;
}

/* Copies a string. Refuses what does not fit, and escapes such as \u: pm writes those for control characters. */
static int copy(const char *at, char *out, size_t room) {
    if (at == NULL || *at++ != '"') return -1;
    for (; *at && *at != '"'; at++, room--) {
        if (*at == '\\' && !strchr("\"\\/", *++at)) return -1;
        if (room <= 1) return -1;
        *out++ = *at;
    }
    return *out = '\0', *at == '"' ? 0 : -1;
}

/* An answer. What goes into it here needs no escapes. */
static int answer(struct pm_bytes *to, int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    to->at = malloc(512);
    int length = to->at ? vsnprintf(to->at, 512, format, arguments) : 0;
    to->length = length < 512 ? (size_t)length : 511;
    va_end(arguments);
    return status;
}

static int error(struct pm_bytes *to, const char *kind, const char *message) {
    return answer(to, 1, "{\"kind\":\"%s\",\"message\":\"%s\"}", kind, message);
}

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Runs the script in a process group of its own. Answers its exit status, CANNOT or LATE. */
enum { CANNOT = 127, LATE = -1 };
static int run(const char *script, const char *verb, long limit_ms) {
    long end = now_ms() + limit_ms;
    int status = 0, late = 0;
    pid_t ended, pid = fork();
    if (pid == 0) {
        /* Between fork and exec only what is safe in a process with threads. */
        int null = open("/dev/null", O_RDWR);
        setpgid(0, 0);
        for (int fd = 0; fd < 3; fd++) dup2(null, fd);
        execl(script, script, verb, (char *)NULL);
        _exit(CANNOT);
    }
    if (pid < 0) return CANNOT;
    setpgid(pid, pid); /* in both, so that it is done whoever runs first */
    while ((ended = waitpid(pid, &status, late ? 0 : WNOHANG)) == 0) {
        poll(NULL, 0, 5);
        late = now_ms() >= end;
        if (late) kill(-pid, SIGKILL);
    }
    if (late || ended < 0) return late ? LATE : CANNOT;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void attach(const struct pm_host_v1 *lent) { host = lent; }

static int create(struct pm_text kind, struct pm_text name, struct pm_text settings, void **instance,
                  struct pm_bytes *to) {
    const char *dir = member(settings.at, "initd_dir");
    struct part *part = calloc(1, sizeof *part);
    if (part == NULL) return error(to, "failed", "out of memory");
    part->is_check = strcmp(kind.at, "check") == 0;
    strcpy(part->dir, "/etc/init.d");
    if (strcmp(name.at, "initd") == 0 && strcmp(settings.at, "{}") == 0) return *instance = part, 0;
    /* The first key has to be ours, and the last one. */
    int only = dir == settings.at + strlen("{\"initd_dir\":") && strcmp(skip(dir), "}") == 0;
    if (only && copy(dir, part->dir, sizeof part->dir) == 0 && part->dir[0] == '/') return *instance = part, 0;
    free(part);
    return error(to, "config", "the only setting is initd_dir, an absolute path of at most 255 characters");
}

static int call(void *instance, struct pm_text op, struct pm_text body, struct pm_bytes *to) {
    const struct part *part = instance;
    const char *target = member(body.at, "target"), *limit = member(target, "timeout_ms");
    char name[200], script[512], line[600];
    if (strcmp(op.at, part->is_check ? "check" : "restart") != 0)
        return error(to, "unsupported", "initd was built before this operation existed");
    if (copy(member(target, "system_name"), name, sizeof name) || !*name || *name == '.' || strchr(name, '/'))
        return error(to, "failed", "the request has no system_name that could be a script");
    snprintf(script, sizeof script, "%s/%s", part->dir, name);
    /* A little earlier than pm would give up, so that there is an answer. */
    int status = run(script, part->is_check ? "status" : "restart", limit ? strtol(limit, NULL, 10) * 9 / 10 : 5000);
    snprintf(line, sizeof line, "%s ended with status %d", script, status);
    if (host->max_level() >= PM_INFO) host->log(PM_INFO, "initd", line);
    if (status == LATE) return error(to, "timeout", "the script did not end in time and was killed");
    if (status == CANNOT) return error(to, "not_found", "there is no such script, or it cannot be run");
    if (part->is_check && status == 0) return answer(to, 0, "{\"health\":\"healthy\",\"detail\":\"it runs\"}");
    if (part->is_check) return answer(to, 0, "{\"health\":\"unhealthy\",\"why\":\"status %d\"}", status);
    if (status != 0) return answer(to, 1, "{\"kind\":\"failed\",\"message\":\"it ended with status %d\"}", status);
    return answer(to, 0, "{\"result\":\"done\",\"action\":\"restarted\",\"detail\":\"init script\"}");
}

static void drop(void *instance) { free(instance); }
static void release(struct pm_bytes bytes) { free(bytes.at); }

const struct pm_plugin_v1 pm_plugin_c_v1 = {sizeof pm_plugin_c_v1, attach, create, call, drop, release};
