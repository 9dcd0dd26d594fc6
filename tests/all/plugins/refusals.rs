//! Each reason why a library is refused, mostly made from one good library by changing bytes.
//!
//! Every refusal names file, reason and fix in one line, a good library beside the bad one goes on working, and the
//! test process is alive afterwards.

use super::{AUTO, MISBEHAVE, Plugins, built, refusal, restart, short};
use pm_plugin_api::ErrorKind;
use pm_plugin_api::abi::ROOT_SYMBOL;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::Permissions;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

const NOT_A_LIBRARY: &str =
    "plugin x.so: is not a shared library (no ELF header); remove it or copy it again";

/// What the loader says of a file with these bytes, beside a good library that has to go on working.
fn said_of(bytes: &[u8]) -> String {
    let plugins = Plugins::with(&[MISBEHAVE]);
    plugins.put("x.so", bytes);
    let registry = plugins.scan();
    assert!(restart(&registry, "counts", &[]).is_ok(), "one bad library must not stop another");
    let text = refusal(&plugins, &registry);
    assert!(!text.contains('\n'), "one line: {text}");
    text
}

/// What the loader says when the part "auto" of the only library is used: these libraries look good until then.
fn said_on_load(bytes: &[u8]) -> String {
    let plugins = Plugins::empty();
    plugins.put("x.so", bytes);
    let registry = plugins.scan();
    assert!(registry.refused().is_empty(), "nothing of this can be seen without loading it");
    let error = restart(&registry, "auto", &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(short(&plugins, &error.message), refusal(&plugins, &registry), "the list says the same");
    refusal(&plugins, &registry)
}

/// The good library with every occurrence of some bytes replaced; there has to be one.
fn changed(from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = built(AUTO);
    let places: Vec<_> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "the library does not contain {:?}", String::from_utf8_lossy(from));
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// The good library with bytes of its manifest replaced.
fn manifest_changed(offset: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = built(AUTO);
    // The magic with the size behind it; the magic alone stands elsewhere as well.
    let head = b"PMPLUGIN\x00\x02";
    let at = bytes.windows(head.len()).position(|window| window == head).unwrap() + offset;
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn files_that_are_no_libraries() {
    assert_eq!(said_of(b""), "plugin x.so: is empty; copy it again");
    assert_eq!(
        said_of(b"#!/bin/sh\necho hello, this is a script and long enough for an ELF header\n"),
        NOT_A_LIBRARY
    );
    assert_eq!(said_of(b"\x7fEL"), NOT_A_LIBRARY);
    let text = said_of(b"\x7fELF\x02\x01\x01");
    assert_eq!(
        text,
        "plugin x.so: is truncated: the ELF header ends at byte 64, the file has 7; copy it again"
    );
}

#[test]
fn entries_that_are_no_files() {
    let plugins = Plugins::with(&[AUTO]);
    std::fs::create_dir(plugins.file("x.so")).unwrap();
    let text = refusal(&plugins, &plugins.scan());
    assert_eq!(text, "plugin x.so: is a directory, not a regular file; remove it");
    std::fs::remove_dir(plugins.file("x.so")).unwrap();
    // Opening a pipe for reading would wait for ever.
    mknodat(CWD, plugins.file("x.so"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let text = refusal(&plugins, &plugins.scan());
    assert_eq!(text, "plugin x.so: is a pipe, not a regular file; remove it");
    std::fs::remove_file(plugins.file("x.so")).unwrap();
    std::os::unix::fs::symlink("/nonexistent/lib.so", plugins.file("x.so")).unwrap();
    let text = refusal(&plugins, &plugins.scan());
    assert!(text.starts_with("plugin x.so: cannot be read: No such file or directory; "), "{text}");
}

#[test]
fn a_library_cut_at_any_size_is_refused_and_never_loaded() {
    let whole = built(AUTO);
    let sizes =
        [5, 20, 63, 64, 100, 1000, 4096, 65_536, whole.len() / 2, whole.len() - 4096, whole.len() - 1];
    for size in sizes {
        let text = said_of(&whole[..size]);
        assert!(text.starts_with("plugin x.so: is truncated: "), "{size}: {text}");
        assert!(text.ends_with(&format!(", the file has {size}; copy it again")), "{size}: {text}");
    }
    assert!(said_of(&whole[..65_536]).contains("a segment ends at byte "));
    assert!(said_of(&whole[..whole.len() - 1]).contains("the section table ends at byte "));
}

#[test]
fn libraries_for_other_machines() {
    let with = |changes: &[(usize, u8)]| {
        let mut bytes = built(AUTO);
        for (at, byte) in changes {
            bytes[*at] = *byte;
        }
        said_of(&bytes)
    };
    let (host, other, number) =
        if cfg!(target_arch = "aarch64") { ("aarch64", "x86-64", 62) } else { ("x86-64", "aarch64", 183) };
    let fix = "install the build for this host";
    assert_eq!(
        with(&[(18, number)]),
        format!("plugin x.so: was built for {other}, this host is {host}; {fix}")
    );
    assert!(with(&[(4, 1), (18, 3)]).contains("was built for x86 (32 bit), this host is "));
    assert!(with(&[(18, 0x34), (19, 0x12)]).contains("(ELF machine 4660)"));
    let text = with(&[(16, 2)]);
    assert_eq!(
        text,
        "plugin x.so: is not a shared library but an executable; build it with crate-type = [\"cdylib\"]"
    );
}

#[test]
fn tables_that_contradict_each_other_are_refused() {
    let mut bytes = built(AUTO);
    bytes[54] = 1;
    assert_eq!(said_of(&bytes), "plugin x.so: is damaged: it has no usable program headers; copy it again");
    let mut bytes = built(AUTO);
    bytes[58] = 1;
    assert!(said_of(&bytes).contains("is damaged: its section headers have an unknown size"));
    let mut bytes = built(AUTO);
    // A section table far behind the end, where adding would overflow.
    bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(said_of(&bytes).contains("is truncated: the section table ends at byte"));
    let mut bytes = built(AUTO);
    bytes[62..64].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(said_of(&bytes).contains("is damaged: its sections have no names"));
}

#[test]
fn damage_anywhere_in_the_tables_is_survived() {
    let plugins = Plugins::with(&[AUTO]);
    let whole = built(AUTO);
    let file = std::fs::OpenOptions::new().write(true).open(plugins.file(AUTO)).unwrap();
    let registry = plugins.scan();
    // Header and program headers, section headers, and the manifest between them.
    let tables = (0..1024).chain(whole.len() - 4096..whole.len()).collect::<Vec<_>>();
    // The same damage in every run: a generator of Marsaglia's.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let (mut refused, mut used) = (0, 0);
    for _ in 0..2000 {
        let places: Vec<_> = (0..1 + next(8)).map(|_| tables[next(tables.len())]).collect();
        for at in &places {
            file.write_all_at(&[next(256) as u8], *at as u64).unwrap();
        }
        registry.rescan();
        match registry.refused().first() {
            Some(refusal) => {
                assert!(!refusal.to_string().contains('\n'), "{refusal}");
                refused += 1;
            }
            None => used += 1,
        }
        for at in &places {
            file.write_all_at(&whole[*at..=*at], *at as u64).unwrap();
        }
    }
    assert!(refused > 100 && used > 100, "both must occur: {refused} refused, {used} not");
    registry.rescan();
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn libraries_of_others_and_of_other_times() {
    let text = said_of(&changed(b".pm_plugin\0", b".pm_plumin\0"));
    assert!(
        text.starts_with("plugin x.so: is a shared library but not a pm plugin (no manifest); does it call ")
    );
    let text = said_of(&manifest_changed(8, &513_u16.to_le_bytes()));
    assert_eq!(
        text,
        "plugin x.so: was built with another version of the plugin manifest; rebuild it with pm-plugin-api 1.x"
    );
    let text = said_of(&manifest_changed(10, &2_u16.to_le_bytes()));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text,
        format!(
            "plugin x.so: plugin \"auto\" {version} uses plugin interface 2, this pm offers 1; upgrade pm or install \
             an older plugin"
        )
    );
    assert!(
        said_of(&manifest_changed(0, b"X")).contains("has a damaged manifest (it does not begin as one)")
    );
    assert!(
        said_of(&manifest_changed(16, &[0xff]))
            .contains("has a damaged manifest (a text in it is not UTF-8)")
    );
    // Escape sequences must not reach a terminal.
    assert!(
        said_of(&manifest_changed(16, b"\x1b[2J"))
            .contains("has a damaged manifest (a name in it is no word)")
    );
    assert!(said_of(&manifest_changed(96, &[0; 416])).contains("has a damaged manifest (it offers nothing)"));
}

#[test]
fn what_others_could_change() {
    let plugins = Plugins::with(&[AUTO]);
    let file = plugins.file(AUTO);
    let chmod = |mode| std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    let registry = plugins.scan();
    chmod(0o646);
    let expected =
        format!("plugin {AUTO}: is writable by group or others (mode 0646); run: chmod go-w {AUTO}");
    let error = restart(&registry, "auto", &[]).unwrap_err();
    assert_eq!(short(&plugins, &error.message), format!("no strategy \"auto\": {expected}"));
    assert_eq!(refusal(&plugins, &registry), expected);
    // Done as it says, it works without a restart.
    chmod(0o644);
    assert!(registry.rescan_if_changed());
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn what_belongs_to_somebody_else() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give files away; who may own what is tested as a table beside the rule itself.
        return;
    }
    let plugins = Plugins::with(&[AUTO]);
    let chown = |uid| std::os::unix::fs::chown(plugins.file(AUTO), Some(uid), None).unwrap();
    chown(1001);
    let registry = plugins.scan();
    let expected = format!("plugin {AUTO}: is owned by uid 1001, must be root; run: chown root {AUTO}");
    assert_eq!(refusal(&plugins, &registry), expected);
    chown(0);
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn a_directory_that_others_could_change_gives_no_plugin_at_all() {
    let plugins = Plugins::with(&[AUTO]);
    std::fs::set_permissions(plugins.path(), Permissions::from_mode(0o777)).unwrap();
    let registry = plugins.scan();
    assert!(registry.entries().is_empty() && registry.offers().is_empty());
    let directory = plugins.path().display();
    let expected = format!(
        "plugin directory {directory} is writable by group or others (mode 0777): no plugin is loaded from it; run: \
         chmod go-w {directory}"
    );
    assert_eq!(registry.refusal().unwrap().to_string(), expected);
    let error = restart(&registry, "auto", &[]).unwrap_err();
    assert_eq!(error.message, format!("no strategy \"auto\": {expected}"));
    std::fs::set_permissions(plugins.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn a_link_is_followed_and_the_place_behind_it_judged() {
    let (plugins, elsewhere) = (Plugins::with(&[]), Plugins::with(&[AUTO]));
    std::os::unix::fs::symlink(elsewhere.file(AUTO), plugins.file("x.so")).unwrap();
    assert!(restart(&plugins.scan(), "auto", &[]).is_ok());
    std::fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o777)).unwrap();
    let (at, file) = (elsewhere.path().display(), elsewhere.file(AUTO));
    let expected = format!(
        "plugin x.so: leads to {}, but its directory is writable by group or others (mode 0777); run: chmod go-w {at}",
        file.display()
    );
    assert_eq!(refusal(&plugins, &plugins.scan()), expected);
}

#[test]
fn the_same_file_twice_is_one_plugin_and_the_same_part_twice_is_a_refusal() {
    let plugins = Plugins::with(&[AUTO]);
    std::fs::hard_link(plugins.file(AUTO), plugins.file("z.so")).unwrap();
    std::os::unix::fs::symlink(AUTO, plugins.file("y.so")).unwrap();
    assert_eq!(plugins.scan().entries().len(), 1);
    plugins.put("x.so", &built(AUTO));
    let registry = plugins.scan();
    let expected = format!("plugin x.so: offers strategy \"auto\", already provided by {AUTO}; remove one");
    assert_eq!(refusal(&plugins, &registry), expected);
    assert!(restart(&registry, "auto", &[]).is_ok());
}

#[test]
fn a_loaded_library_keeps_its_part_when_another_comes_first_by_name() {
    let plugins = Plugins::with(&[AUTO]);
    let registry = plugins.scan();
    restart(&registry, "auto", &[]).unwrap();
    plugins.put("a.so", &built(AUTO));
    assert!(registry.rescan_if_changed());
    assert!(
        refusal(&plugins, &registry)
            .starts_with("plugin a.so: offers strategy \"auto\", already provided by lib")
    );
}

#[test]
fn what_the_dynamic_linker_refuses() {
    let text = said_on_load(&changed(b"libgcc_s.so.1\0", b"libgcc_q.so.1\0"));
    let fix = "install what is missing or rebuild the plugin for this host";
    assert!(
        text.starts_with(
            "plugin x.so: cannot be loaded: libgcc_q.so.1: cannot open shared object file: No such "
        ),
        "{text}"
    );
    assert!(text.ends_with(fix), "{text}");
    let text = said_on_load(&changed(b"\0dl_iterate_phdr\0", b"\0dl_iterate_phdX\0"));
    assert!(text.starts_with("plugin x.so: cannot be loaded: undefined symbol: dl_iterate_phdX"), "{text}");
}

#[test]
fn entry_points_that_do_not_fit() {
    let other = ROOT_SYMBOL.replace("pm_", "xx_");
    let text = said_on_load(&changed(ROOT_SYMBOL.as_bytes(), other.as_bytes()));
    assert_eq!(
        text,
        "plugin x.so: has a manifest but no entry point pm_plugin_root_v1 or pm_plugin_c_v1; rebuild it with \
         pm_plugin_api::export! or with pm_plugin.h"
    );
    let magic = b"abi stable library for Rust     ";
    let (from, to) =
        ([magic.as_slice(), &[0, 0, 0, 0, 11]].concat(), [magic.as_slice(), &[0, 0, 0, 0, 10]].concat());
    let text = said_on_load(&changed(&from, &to));
    assert_eq!(
        text,
        "plugin x.so: built with abi_stable 0.10, this pm uses 0.11; rebuild it with pm-plugin-api 1.x"
    );
    // The name of a field of the root table, as the layout knows it.
    let text = said_on_load(&changed(b"attach;,create;", b"attack;,create;"));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text,
        format!(
            "plugin x.so: plugin \"auto\" {version}: its binary interface differs although the version matches; \
             rebuild it against pm-plugin-api 1.x (details at debug level)"
        )
    );
}
