//! Particles of words that are easy to misread.

use super::*;

fn parts(word: &str) -> Option<(&str, &str)> {
    split(word).map(|(stem, josa)| (stem, josa.form))
}

#[test]
fn the_longest_particle_that_agrees_comes_off() {
    assert_eq!(parts("측우기는"), Some(("측우기", "는")));
    assert_eq!(parts("집현전에서는"), Some(("집현전", "에서는")));
    assert_eq!(parts("커널로부터"), Some(("커널", "로부터")));
    assert_eq!(parts("CPU의"), Some(("CPU", "의")));
}

#[test]
fn a_form_that_does_not_agree_is_part_of_the_noun() {
    assert_eq!(parts("예술가"), None);
    assert_eq!(parts("민주주의"), None);
    assert_eq!(parts("제도"), None);
    assert_eq!(parts("온도"), None);
}

#[test]
fn a_blank_shows_both_forms() {
    assert_eq!(named("는").unwrap().after_blank(), "은(는)");
    assert_eq!(named("으로").unwrap().after_blank(), "(으)로");
    assert_eq!(named("에서").unwrap().after_blank(), "에서");
}

#[test]
fn the_form_follows_the_last_sound() {
    let after = |noun, form| named(form).unwrap().after(noun);
    assert_eq!(after("장영실", "는"), Some("은"));
    assert_eq!(after("세종", "가"), Some("이"));
    assert_eq!(after("커널", "으로"), Some("로"));
    assert_eq!(after("한양", "로"), Some("으로"));
    assert_eq!(after("CPU", "을"), Some("를"));
    assert_eq!(after("1446", "와"), Some("과"));
    assert_eq!(after("thread", "은"), None);
    assert_eq!(after("페이지 테이블", "란"), Some("이란"));
}

#[test]
fn a_particle_that_cannot_be_known_shows_both_forms() {
    assert_eq!(after("1446", "가"), "이");
    assert_eq!(after("세포", "은"), "는");
    assert_eq!(after("thread", "은"), "은(는)");
}
