//! An error of S3 in a line that is worth logging.

/// Long answers say no more than short ones.
const LONGEST: usize = 300;

/// What an S3 server said, fit for logs: it likes to repeat the request it was sent, tokens and all.
pub(super) fn reason(error: &object_store::Error) -> String {
    let text = ground::chain(error);
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>"))
            .map(|(part, _)| part.to_owned())
    };
    match (part("Code"), part("Message")) {
        (Some(code), Some(message)) => shortened(&format!("{code}: {message}")),
        (Some(code), None) => code,
        _ => shortened(&without_queries(&text)),
    }
}

/// Parameters of URLs carry signatures and tokens.
fn without_queries(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_query = false;
    for c in text.chars() {
        if in_query && !(c.is_whitespace() || matches!(c, ')' | '"' | '\'' | '>')) {
            continue;
        }
        in_query = c == '?';
        kept.push(c);
    }
    kept
}

fn shortened(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        reason(&object_store::Error::Generic {
            store: "S3",
            source: text.into(),
        })
    }

    #[test]
    fn of_an_answer_that_repeats_the_request_the_code_and_the_message_are_kept() {
        let answer = "Server returned non-2xx status code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code>\
             <Message>The request signature we calculated does not match</Message>\
             <CanonicalRequest>GET\nx-amz-security-token:hush</CanonicalRequest></Error>";
        assert_eq!(
            said(answer),
            "SignatureDoesNotMatch: The request signature we calculated does not match"
        );
    }

    #[test]
    fn parameters_of_urls_are_not_kept() {
        let text = said(
            "error sending request for url (https://sts.example/?WebIdentityToken=hush&x=hush): refused",
        );
        assert!(!text.contains("hush"), "{text}");
        assert!(text.ends_with("(https://sts.example/?): refused"), "{text}");
    }

    #[test]
    fn a_long_answer_is_cut_short() {
        assert!(said(&"가나 ".repeat(1_000)).chars().count() < 350);
    }
}
