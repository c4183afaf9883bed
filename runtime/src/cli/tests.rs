//! The command line as a whole: consistent, complete, and true to the settings.

use clap::CommandFactory;

use super::*;
use crate::config::Layers;

/// A command line's words, as they would be typed.
fn parsed(line: &str) -> Result<Cli, String> {
    let words = std::iter::once("chancery").chain(line.split_whitespace());
    Cli::try_parse_from(words).map_err(|error| error.to_string())
}

fn help_of(subcommand: &str) -> String {
    let mut cli = Cli::command();
    let help = cli.find_subcommand_mut(subcommand).expect("a subcommand").render_long_help();
    // Wrapped lines are one text.
    help.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_subcommand_says_what_it_does() {
    for subcommand in Cli::command().get_subcommands() {
        assert!(subcommand.get_about().is_some(), "{}", subcommand.get_name());
        for argument in subcommand.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {argument}", subcommand.get_name());
        }
    }
}

#[test]
fn every_subcommand_is_in_the_documentation() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let docs = std::fs::read_to_string(docs).expect("docs/cli.md");
    for subcommand in Cli::command().get_subcommands() {
        let name = subcommand.get_name();
        let is_there = [format!("chancery {name}"), format!("`{name}`")];
        assert!(is_there.iter().any(|text| docs.contains(text)), "{name}");
    }
}

#[test]
fn help_tells_the_defaults_that_are_true() {
    let help = help_of("serve");
    let (_, options) = help.split_once("Usage:").expect("a usage");
    let mut layers = Layers::default();
    layers.serve().expect("valid");
    for shown in layers.shown().iter().filter(|shown| shown.key.table == key::Table::Serve) {
        let flag = shown.key.flag();
        let (_, after) =
            options.split_once(&format!("{flag} ")).unwrap_or_else(|| panic!("{flag}"));
        let about = after.split_once("[default: ").map_or("", |(about, _)| about).len();
        let about = &after[about..];
        let told = match shown.key {
            key::INSECURE_BIND => "",
            key::ADHOC => "[default: true on a loopback address, else",
            key::HOSTS => "[default: localhost on a loopback address, else",
            key::BACKUPS => "[default: backups in the data directory]",
            key::CODE_CACHE => "[default: chancery/code in the user's directory of caches]",
            key::QUERIES_MAX => "[default: twice the processors]",
            _ => &format!("[default: {}]", shown.value),
        };
        assert!(about.starts_with(told), "{flag}: {told} is not {about:.60}");
    }
}

#[test]
fn help_tells_the_ranges_that_are_true() {
    let help = help_of("serve");
    for key in key::ALL.iter().filter(|key| key.table == key::Table::Serve) {
        // One beyond any range, in any unit.
        for beyond in ["999999h", "999999GiB", "4000000000"] {
            let mut layers = Layers::new(vec![(*key, beyond.to_owned())], [], Default::default());
            let Err(error) = layers.serve() else { continue };
            let Some((_, range)) =
                error.to_string().split_once(": from ").map(|(a, b)| (a.to_owned(), b.to_owned()))
            else {
                continue;
            };
            assert!(help.contains(&range), "{key}: {range}");
        }
    }
}

#[test]
fn every_limit_can_be_given_as_a_flag() {
    for key in key::ALL.iter().filter(|key| key.table == key::Table::Serve) {
        let value = if *key == key::INSECURE_BIND { "" } else { "1" };
        let cli = parsed(&format!("serve {} {value}", key.flag())).expect("a command line");
        let Command::Serve(serve) = &cli.command else { panic!("another command") };
        let given = serve.given();
        assert_eq!(given.len(), 1, "{key}");
        assert_eq!(given[0].0, *key);
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for line in [
        "",
        "deploy --hash 0",
        "deploy --hash 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090",
        "new",
        "completions",
        "deploy a.wasm --hash 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090 --name a",
        "command",
        "command a --wait 61",
        "command a --wait 1 --no-wait",
        "command a --dry-run --no-wait",
        "command a --id 00000000-0000-4000-8000-000000000000",
        "commands 01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1 --status failed",
        "commands --wait 1",
        "commands --status lost",
        "tables --drop",
        "tables a b --drop",
        "tables a b --prefix c",
        "tables a --limit 0",
        "apps create Main",
        "query a --at-least -1",
    ] {
        assert!(parsed(line).is_err(), "{line}");
    }
}

#[test]
fn global_options_may_stand_anywhere() {
    for line in ["--app shop --json query stock", "query stock --json --app shop"] {
        let cli = parsed(line).expect("a command line");
        assert!(cli.global.json);
        assert_eq!(cli.global.given(), [(key::APP, "shop".to_owned())]);
    }
}

#[test]
fn a_command_line_to_try_again_names_the_same_server() {
    let cli = parsed("--server http://h:1 --app shop query x").expect("a command line");
    assert_eq!(cli.global.choosing_server(), ["--server", "http://h:1", "--app", "shop"]);
}

#[test]
fn exit_codes_are_a_promise() {
    let codes =
        [Exit::Done, Exit::Refused, Exit::Usage, Exit::Server, Exit::Unknown, Exit::Machine];
    assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5]);
    for exit in codes {
        assert!(AFTER_HELP.contains(&format!("\n  {}  ", exit as u8)));
    }
}
