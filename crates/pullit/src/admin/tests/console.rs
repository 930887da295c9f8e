//! The console's files, as a browser gets them.

use super::*;

async fn file(path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).unwrap();
    send(&super::super::console(), request).await
}

fn text(answer: &Answer) -> &str {
    answer.body.as_str().unwrap()
}

#[tokio::test]
async fn the_page_needs_no_token_and_loads_only_its_own_files() {
    for path in [
        "/admin",
        "/admin/",
        "/admin/console.css",
        "/admin/console.js",
        "/admin/icon.svg",
    ] {
        let answer = file(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert!(
            header("content-security-policy").starts_with("default-src 'self';"),
            "{path}"
        );
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
    }
    let page = file("/admin").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    // The policy would stop them all the same; this says so before a browser does.
    for outside in ["http:", "https:", "//", "style=", "onclick", "<style"] {
        assert!(!text(&page).contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn the_page_and_its_script_agree_on_every_element() {
    let (page, script) = (file("/admin").await, file("/admin/console.js").await);
    let ids: Vec<_> = text(&script)
        .split("$(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(ids.len() > 20);
    for id in ids {
        let element = format!("id=\"{id}\"");
        assert_eq!(text(&page).matches(&element).count(), 1, "{id}");
    }
}

#[tokio::test]
async fn nothing_from_the_server_can_become_markup() {
    let script = file("/admin/console.js").await;
    for door in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
    ] {
        assert!(!text(&script).contains(door), "{door}");
    }
}
