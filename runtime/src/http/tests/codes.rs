//! The codes, their page and their paths agree.

use std::collections::BTreeSet;

use super::super::code::{self, Code};
use super::super::pages::{ERRORS, section};
use super::Api;

fn row(code: &Code) -> String {
    let (status, retry) = (code.status.as_u16(), code.retry.as_str());
    let Code { code, title, advice, .. } = code;
    format!("| `{code}` | {status} | {retry} | {title} | {advice} |")
}

#[test]
fn i13_the_page_on_errors_has_each_code_and_no_other() {
    let headings: Vec<_> =
        ERRORS.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let codes: Vec<_> = code::ALL.iter().map(|code| code.code).collect();
    assert_eq!(headings, codes, "in the same order");
    let rows: Vec<_> = ERRORS.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<_> = code::ALL.iter().map(row).collect();
    assert_eq!(rows, expected);
}

#[test]
fn codes_are_unique_and_have_a_paragraph_each() {
    let unique: BTreeSet<_> = code::ALL.iter().map(|code| code.code).collect();
    assert_eq!(unique.len(), code::ALL.len());
    for code in code::ALL {
        let section = section(*code).unwrap();
        assert!(section.lines().count() >= 3, "{section}");
    }
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_paragraph() {
    let api = Api::new();
    let problem = api.get("/v1/apps/nowhere").await.problem(404, "unknown-app");
    let page = api.get(problem["type"].as_str().unwrap()).await;
    assert_eq!(page.status, 200);
    assert!(page.body.starts_with(b"### `unknown-app`\n"));
    api.get("/errors/out-of-stock").await.problem(404, "unknown-route");
}
