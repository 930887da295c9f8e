//! From bytes to characters: UTF-8, UTF-16 with a mark, CP949.

use encoding_rs::{EUC_KR, Encoding};

use super::{ExtractionFailure, Limits};

/// A text file's characters: UTF-8 with or without a byte order mark, UTF-16 with one, or CP949.
///
/// CP949 accepts many byte sequences that are something else, so its result must also look like
/// Korean text: Hangul, and no private or unassigned characters.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<String, ExtractionFailure> {
    if bytes.len() > limits.max_chars.saturating_mul(4).saturating_add(4) {
        return Err(ExtractionFailure::too_long(limits.max_chars));
    }
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => {
            let exact =
                encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
            exact.map(|text| text.into_owned())
        }
        None => match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => korean(bytes),
        },
    };
    text.filter(|text| !text.contains('\0'))
        .ok_or_else(ExtractionFailure::unknown_encoding)
}

fn korean(bytes: &[u8]) -> Option<String> {
    let text = EUC_KR
        .decode_without_bom_handling_and_without_replacement(bytes)?
        .into_owned();
    let foreign = text.chars().filter(|c| !c.is_ascii()).count();
    let hangul = text.chars().filter(|c| ('가'..='힣').contains(c)).count();
    // Latin-1 or a Japanese code page read as CP949 gives rare Hanja and symbols, hardly Hangul.
    let usual = text.chars().filter(|c| is_usual_syllable(*c)).count();
    (hangul * 2 >= foreign && usual * 2 >= hangul && !text.chars().any(is_odd)).then_some(text)
}

/// Whether KS X 1001 knows the syllable: nearly all that is written, and a fifth of all there are.
fn is_usual_syllable(c: char) -> bool {
    let mut utf8 = [0; 4];
    let (bytes, _, unmappable) = EUC_KR.encode(c.encode_utf8(&mut utf8));
    !unmappable && matches!(bytes.as_ref(), [0xB0..=0xC8, 0xA1..=0xFE])
}

fn is_odd(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    const TEXT: &str = "광합성은 빛에너지를 화학 에너지로 바꾼다. Photosynthesis, 1779년.";

    fn decoded(bytes: &[u8]) -> Result<String, &'static str> {
        decode(bytes, &Limits::default()).map_err(|failure| failure.code)
    }

    fn utf16(mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter()
            .copied()
            .chain(TEXT.encode_utf16().flat_map(unit))
            .collect()
    }

    #[test]
    fn utf8_is_read_with_and_without_a_byte_order_mark() {
        assert_eq!(decoded(TEXT.as_bytes()).unwrap(), TEXT);
        assert_eq!(decoded(format!("\u{FEFF}{TEXT}").as_bytes()).unwrap(), TEXT);
    }

    #[test]
    fn utf16_is_read_when_it_is_marked() {
        assert_eq!(
            decoded(&utf16(&[0xFF, 0xFE], u16::to_le_bytes)).unwrap(),
            TEXT
        );
        assert_eq!(
            decoded(&utf16(&[0xFE, 0xFF], u16::to_be_bytes)).unwrap(),
            TEXT
        );
        assert_eq!(
            decoded(&utf16(&[], u16::to_le_bytes)),
            Err(code::DOCUMENT_UNKNOWN_ENCODING)
        );
    }

    #[test]
    fn cp949_is_recognised_with_its_syllables_beyond_ks_x_1001() {
        let text = format!("{TEXT} 똠방각하와 펲시콜라, 햏.");
        let (bytes, _, unmappable) = EUC_KR.encode(&text);
        assert!(!unmappable);
        assert_eq!(decoded(&bytes).unwrap(), text);
    }

    #[test]
    fn other_encodings_and_binary_are_refused() {
        let shift_jis = encoding_rs::SHIFT_JIS
            .encode("光合成は光エネルギーを使う反応です。")
            .0;
        let latin1 = encoding_rs::WINDOWS_1252
            .encode("Où est passée la forêt d'été ? À côté.")
            .0;
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";
        let nul = b"plain, but for\0one byte";
        for bytes in [
            &shift_jis[..],
            &latin1,
            png,
            nul,
            &[0xFF; 64],
            &[0xEF, 0xBB, 0xBF, 0xFF],
        ] {
            assert_eq!(
                decoded(bytes),
                Err(code::DOCUMENT_UNKNOWN_ENCODING),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_text_beyond_the_bound_is_refused_by_its_size_alone() {
        let limits = Limits {
            max_chars: 10,
            ..Limits::default()
        };
        let failure = decode(&[b'a'; 45], &limits).unwrap_err();
        assert_eq!(failure.code, code::DOCUMENT_TOO_LONG);
    }
}
