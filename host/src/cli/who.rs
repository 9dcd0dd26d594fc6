//! Who gives an order: the login that stands beside it afterwards. A label for colleagues, not a proof.

use pm_plugin_api::detach::User;

/// The user who called sudo, else the one of this process.
pub(crate) fn login() -> String {
    let uid = rustix::process::getuid().as_raw();
    chosen(std::env::var("SUDO_USER").ok(), uid, |uid| {
        User::named(&uid.to_string()).ok()?.account.map(|account| account.name)
    })
}

fn chosen(sudo: Option<String>, uid: u32, account: impl Fn(u32) -> Option<String>) -> String {
    let sudo = sudo.filter(|name| !name.trim().is_empty());
    let root = || (uid == 0).then(|| "root".to_owned());
    sudo.or_else(root).or_else(|| account(uid)).unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_behind_sudo_comes_before_the_account() {
        let account = |uid| (uid == 7).then(|| "ana".to_owned());
        assert_eq!(chosen(Some("dan".to_owned()), 0, account), "dan");
        assert_eq!(chosen(Some(" ".to_owned()), 7, account), "ana");
        assert_eq!(
            (chosen(None, 0, account), chosen(None, 8, account)),
            ("root".to_owned(), "uid 8".to_owned())
        );
        assert!(!login().is_empty());
    }
}
