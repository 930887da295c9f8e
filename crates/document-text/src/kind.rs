//! The formats that can be read.

/// The format of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// `application/pdf`
    Pdf,
    /// `text/markdown`
    Markdown,
    /// `text/plain`
    PlainText,
}

impl DocumentKind {
    /// The kind that a media type names, whatever its case and its parameters (`; charset=…`).
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/pdf" => Some(Self::Pdf),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "text/plain" => Some(Self::PlainText),
            _ => None,
        }
    }

    /// The name of the kind on the child's command line.
    pub(super) fn as_argument(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Markdown => "markdown",
            Self::PlainText => "text",
        }
    }

    pub(super) fn from_argument(argument: &str) -> Option<Self> {
        [Self::Pdf, Self::Markdown, Self::PlainText]
            .into_iter()
            .find(|kind| kind.as_argument() == argument)
    }
}

#[cfg(test)]
mod tests {
    use super::DocumentKind;

    #[test]
    fn a_content_type_names_its_kind_whatever_its_case_and_parameters() {
        let kind = DocumentKind::from_content_type;
        assert_eq!(kind("application/pdf"), Some(DocumentKind::Pdf));
        assert_eq!(
            kind(" Application/PDF ; version=1.7"),
            Some(DocumentKind::Pdf)
        );
        assert_eq!(
            kind("text/markdown; charset=UTF-8"),
            Some(DocumentKind::Markdown)
        );
        assert_eq!(kind("text/x-markdown"), Some(DocumentKind::Markdown));
        assert_eq!(
            kind("text/plain;charset=euc-kr"),
            Some(DocumentKind::PlainText)
        );
        for other in ["", "text/html", "application/pdfx", "image/png", "text"] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
