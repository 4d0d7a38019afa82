use super::*;

#[test]
fn every_shell_is_told_of_flags_with_one_dash() {
    for (shell, flag) in [
        (Shell::Bash, " -record-all "),
        (Shell::Zsh, "'-record-all=[Record every published stream]"),
        (Shell::Fish, " -o record-all "),
        (Shell::PowerShell, "'-record-all'"),
        (Shell::Elvish, "cand -record-all "),
    ] {
        let script = script(shell).unwrap();
        assert!(script.contains("rtmp-server") && script.contains(flag), "{shell}: {script}");
        assert!(script.contains("recordings"), "{shell}");
        for two in ["--record-all", "--json", " -l json"] {
            assert!(!script.contains(two), "{shell}: {two}");
        }
    }
}
