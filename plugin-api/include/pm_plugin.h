/* pm_plugin.h: a plugin for the process monitor pm, in C or in any language that can offer C functions.
 *
 * A plugin is a shared library with two things in it:
 *
 *   PM_PLUGIN_MANIFEST(name, version, offers)   512 bytes that say what it is; pm reads them from the file
 *   const struct pm_plugin_v1 pm_plugin_c_v1    the functions below, under exactly this name
 *
 *     cc -std=c11 -O2 -fPIC -shared -I DIRECTORY-OF-THIS-FILE -o libNAME.so NAME.c
 *     pm plugins verify ./libNAME.so
 *
 * examples/c/initd.c beside this directory is a whole one.
 *
 * A part is what an operator writes: strategy "initd", check "initd". Its operations, and what they answer:
 *
 *   kind      operation  answer
 *   strategy  restart    {"result":"done","action":"restarted","detail":"one line"}    actions: started, restarted, ran
 *   strategy  identity   a string that changes with every start of the target, or null when it does not run
 *   strategy  evidence   {"facts":[["state","down: 12 s"]],"pids":[4711],"log":["last words"]}
 *   check     check      {"health":"healthy","detail":"200 OK"}, or "unhealthy" or "unknown" with a "why"
 *   notifier  notify     null, when the receiver has taken it
 *
 * The body of a strategy's and a check's is {"target":{...}} with name, system_name, process_id, attempt, max_attempts,
 * restart_delay_ms, timeout_ms, working_directory, environment. That of a notifier's is {"notice":{...}} with event,
 * severity, subject, host, summary, detail, time_ms, repeated, language, id, timeout_ms. Later versions of pm send more:
 * skip what you do not know. Answer an operation that you do not know with an error of the kind "unsupported"; only
 * restart, check and notify are needed.
 *
 * An error is {"kind":"failed","message":"one line for people"}; the kinds are config, not_found, unsupported,
 * unavailable, permission, timeout, failed. A plain text is an error of the kind "failed". The book of pm (Writing a
 * plugin) says what follows from each kind, and what is expected of each operation.
 *
 * Rules:
 *   - Texts that pm hands in are UTF-8, followed by a NUL that is not counted, with no other NUL in them. They are gone
 *     when the call returns: copy what you keep.
 *   - What you answer stays yours: pm copies it and hands it to free, always, also when it is empty (at == NULL).
 *   - call comes from several threads at once, also for the same instance. drop comes once, when no call is left.
 *   - Give up before timeout_ms is over and say why. A call that does not return is cut off.
 *   - target.name may come from a database: data, never a part of a command line, a path or a pattern.
 *   - Do not print; use the log of the host. Ignore no signals and set no handlers: the process is not yours.
 *   - C has no panics. A crash (SIGSEGV, abort, exit) ends the process that the library runs in. That is a worker of
 *     its own unless the operator says isolation = in-process: pm goes on, every call that was under way is answered
 *     with an error that names the signal, and a new worker is started. In-process, a crash ends pm itself.
 *     An exception of C++ must not leave a function of the table: it ends the process as abort does.
 *
 * The tables of this file are frozen: a library that was built with them is loaded by every later pm. Another table
 * would have another name beside pm_plugin_c_v1.
 */
#ifndef PM_PLUGIN_H
#define PM_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define PM_STATIC_ASSERT static_assert
#else
#define PM_STATIC_ASSERT _Static_assert
#endif

#define PM_INTERFACE 1 /* the binary interface: this file and the manifest */
#define PM_API_LEVEL 2 /* the operations listed above; 1: evidence, 2: notifiers */

/* Levels of the log. */
enum { PM_ERROR = 1, PM_WARN = 2, PM_INFO = 3, PM_DEBUG = 4, PM_TRACE = 5 };

/* A text from pm. */
struct pm_text {
    const char *at; /* never NULL */
    size_t length;  /* in bytes, without the NUL behind it */
};

/* An answer, or an error, of yours. pm hands in {NULL, 0} to be overwritten. */
struct pm_bytes {
    char *at;
    size_t length;
};

/* What pm lends to the library for its whole life. Any thread may call these. */
struct pm_host_v1 {
    size_t size; /* of this table, in bytes */
    /* One line for pm's log. `module` says who speaks; both texts end with a NUL. */
    void (*log)(int level, const char *module, const char *text);
    /* The most verbose level that somebody listens to: 0 none, PM_ERROR ... PM_TRACE. Ask before you format. */
    int (*max_level)(void);
};

/* What the library offers. Every function is needed. */
struct pm_plugin_v1 {
    size_t size; /* sizeof(struct pm_plugin_v1) */
    /* Called once, before anything else. Keep the pointer. */
    void (*attach)(const struct pm_host_v1 *host);
    /* Makes a part. `settings` is a JSON object of strings: the keys that the operator wrote, as he wrote them; defaults
     * are yours to fill in, and a key that you do not know is an error of the kind "config". Cheap, no I/O.
     * Returns 0 and sets *instance (NULL is allowed), or anything else and sets *error. */
    int (*create)(struct pm_text kind, struct pm_text name, struct pm_text settings, void **instance,
                  struct pm_bytes *error);
    /* Runs an operation. Returns 0 and sets *answer to JSON, or anything else and sets *answer to an error. */
    int (*call)(void *instance, struct pm_text op, struct pm_text body, struct pm_bytes *answer);
    /* Ends a part. */
    void (*drop)(void *instance);
    /* Takes back what create or call have answered. */
    void (*free)(struct pm_bytes bytes);
};

/* Define it in one source file:
 *     const struct pm_plugin_v1 pm_plugin_c_v1 = {sizeof pm_plugin_c_v1, attach, create, call, drop, release}; */
extern __attribute__((visibility("default"))) const struct pm_plugin_v1 pm_plugin_c_v1;

/* The manifest: 512 bytes in the section .pm_plugin, which survive strip. Numbers are little-endian. */
struct pm_manifest {
    char magic[8];
    uint16_t size, interface_number, api_level, reserved;
    char name[48], version[32], offers[416];
};
PM_STATIC_ASSERT(sizeof(struct pm_manifest) == 512, "the manifest has 512 bytes");
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "write the numbers of the manifest in little-endian order"
#endif

/* Once per library, with string literals and a semicolon behind it:
 *     PM_PLUGIN_MANIFEST("initd", "1.0.0", "strategy:initd check:initd ");
 * Name and version have no blanks; each part is "kind:name" with a blank behind it. */
#define PM_PLUGIN_MANIFEST(NAME, VERSION, OFFERS)                                                             \
    PM_STATIC_ASSERT(sizeof(NAME) <= 48, "the name has at most 47 bytes");                                    \
    PM_STATIC_ASSERT(sizeof(VERSION) <= 32, "the version has at most 31 bytes");                              \
    PM_STATIC_ASSERT(sizeof(OFFERS) <= 416, "the parts have at most 415 bytes");                              \
    extern __attribute__((visibility("default"))) const struct pm_manifest pm_plugin_manifest;                \
    __attribute__((used, section(".pm_plugin"))) const struct pm_manifest pm_plugin_manifest = {              \
        {'P', 'M', 'P', 'L', 'U', 'G', 'I', 'N'}, 512, PM_INTERFACE, PM_API_LEVEL, 0, NAME, VERSION, OFFERS}

/* Optional: the settings of the parts, so that pm check finds a misspelt key with its line, and pm plugins info shows
 * them. Once per library:
 *     PM_PLUGIN_SETTINGS(
 *         PM_PART("strategy:initd", PM_KEY("initd_dir", "path", "/etc/init.d", "Where the scripts are."))
 *         PM_PART("check:initd", PM_KEY("initd_dir", "path", "/etc/init.d", "Where the scripts are.")));
 * Types: text, boolean, number16, number, number64, size, duration, path, list. An empty default means that there is none.
 * PM_KEY_MORE also tells what a number counts ("percent"), which values there are ("ca|none", "0..20"; pm check refuses
 * others), and PM_REQUIRED if pm check has to miss it. Each may be "". */
#define PM_REQUIRED "required"
#define PM_KEY(NAME, TYPE, DEFAULT, TEXT) NAME "\037" TYPE "\037" DEFAULT "\037" TEXT "\036"
#define PM_KEY_MORE(NAME, TYPE, DEFAULT, TEXT, UNIT, ALLOWED, NEED)                                           \
    NAME "\037" TYPE "\037" DEFAULT "\037" TEXT "\037" UNIT "\037" ALLOWED "\037" NEED "\036"
#define PM_PART(OFFER, KEYS) OFFER "\036" KEYS "\035"
#define PM_PLUGIN_SETTINGS(PARTS)                                                                             \
    __attribute__((used, section(".pm_settings"))) static const char pm_plugin_settings[] = PARTS

#ifdef __cplusplus
}
#endif

#endif
