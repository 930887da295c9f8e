//! Small PDFs, written by hand, for the tests.

/// Objects that are numbered from 1 become a file; number 1 is the catalogue.
fn file(objects: &[String], trailer: &str) -> Vec<u8> {
    let mut pdf = String::from("%PDF-1.7\n");
    let mut offsets = String::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let size = objects.len() + 1;
    let start = pdf.len();
    pdf.push_str(&format!(
        "xref\n0 {size}\n0000000000 65535 f \n{offsets}trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n"
    ));
    pdf.into_bytes()
}

/// A page for each of `contents`, which are content streams; `trailer` goes into the trailer.
pub(crate) fn pdf(contents: &[&str], trailer: &str) -> Vec<u8> {
    let kids: String = (0..contents.len())
        .map(|n| format!("{} 0 R ", 4 + 2 * n))
        .collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Count {}/Kids[{kids}]>>", contents.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
    ];
    for (n, content) in contents.iter().enumerate() {
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents {} 0 R>>",
            5 + 2 * n
        ));
        objects.push(format!(
            "<</Length {}>>stream\n{content}\nendstream",
            content.len()
        ));
    }
    file(&objects, trailer)
}

/// The content stream that shows each text in 12 points with its baseline at the height.
pub(crate) fn page(lines: &[(f64, &str)]) -> String {
    let show = |(y, text): &(f64, &str)| format!("BT /F 12 Tf 72 {y} Td ({text}) Tj ET ");
    lines.iter().map(show).collect()
}
