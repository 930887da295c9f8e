//! Numbers of Korean sentences: years, dates, counts with their unit.

use std::ops::Range;

use super::{
    super::{FactKind, Found},
    fact, number_end,
};

/// Longest first where one begins like another.
const KOREAN_UNITS: &[&str] = &[
    "분자",
    "마이크로초",
    "나노초",
    "밀리초",
    "년대",
    "개월",
    "세기",
    "시간",
    "번째",
    "가지",
    "글자",
    "마리",
    "그루",
    "종류",
    "단계",
    "등급",
    "절기",
    "퍼센트",
    "킬로미터",
    "센티미터",
    "밀리미터",
    "나노미터",
    "마이크로미터",
    "미터",
    "킬로그램",
    "밀리그램",
    "그램",
    "밀리리터",
    "리터",
    "킬로바이트",
    "메가바이트",
    "기가바이트",
    "테라바이트",
    "바이트",
    "킬로비트",
    "메가비트",
    "비트",
    "메가헤르츠",
    "기가헤르츠",
    "헤르츠",
    "볼트",
    "와트",
    "칼로리",
    "달러",
    "페이지",
    "개국",
    "차례",
    "군데",
    "여 년",
    "년",
    "월",
    "일",
    "세",
    "시",
    "분",
    "초",
    "개",
    "명",
    "인",
    "자",
    "권",
    "편",
    "장",
    "척",
    "대",
    "종",
    "번",
    "회",
    "배",
    "층",
    "군",
    "진",
    "도",
    "톤",
    "원",
    "석",
    "결",
    "리",
    "보",
    "칸",
    "줄",
    "쪽",
    "조",
    "항",
    "곳",
    "쌍",
    "살",
    "차",
    "문",
    "호",
    "점",
    "면",
    "량",
    "억",
];

/// The fact that starts with the digits at `number`, and where it ends.
pub(super) fn number(text: &str, number: Range<usize>) -> Option<(Found, usize)> {
    if let Some(end) = dotted_date(text, &number) {
        return Some((fact(number.start..end, FactKind::Date, ""), end));
    }
    let mut end = number.end;
    for scale in ["만", "억", "천", "조"] {
        if text[end..].starts_with(scale) {
            end += scale.len();
            break;
        }
    }
    let rest = text[end..].trim_start_matches(' ');
    let gap = text.len() - end - rest.len();
    if gap > 1 {
        return None;
    }
    let digits = &text[number.start..end];
    if let Some(tail) = rest.strip_prefix("월 ")
        && let Some(day) = tail.find('일').filter(|day| (1..=2).contains(day))
        && tail[..day].chars().all(|c| c.is_ascii_digit())
    {
        let date_end = text.len() - tail.len() + day + "일".len();
        return Some((
            fact(number.start..date_end, FactKind::Date, "월 일"),
            date_end,
        ));
    }
    let unit = korean_unit(rest)?;
    if unit == "년" && (1000..=2100).contains(&digits.parse::<u32>().unwrap_or(0)) {
        let after = rest["년".len()..].trim_start();
        let duration = ["간", "동안", "전", "뒤", "후", "이상", "여", "가까"];
        if !duration.iter().any(|word| after.starts_with(word)) {
            return Some((fact(number.start..end, FactKind::Year, "년"), end));
        }
    }
    Some((fact(number.start..end, FactKind::Number, unit), end))
}

fn korean_unit(rest: &str) -> Option<&str> {
    if let Some(symbol) = ["%", "℃", "°C", "°"].iter().find(|s| rest.starts_with(**s)) {
        return Some(symbol);
    }
    let latin = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    if (1..=4).contains(&latin) {
        return Some(&rest[..latin]);
    }
    KOREAN_UNITS
        .iter()
        .find(|unit| rest.starts_with(**unit))
        .copied()
}

/// The end of a date such as `2026. 11. 22.` that starts with the year at `year`.
fn dotted_date(text: &str, year: &Range<usize>) -> Option<usize> {
    if year.len() != 4 {
        return None;
    }
    let mut end = year.end;
    for _ in 0..2 {
        let rest = text[end..].strip_prefix('.')?;
        let digits_at = text.len() - rest.trim_start_matches(' ').len();
        let digits_end = number_end(text, digits_at);
        if !(1..=2).contains(&(digits_end - digits_at)) {
            return None;
        }
        end = digits_end;
    }
    Some(end + usize::from(text[end..].starts_with('.')))
}
