//! The grammar of one field of Spring's cron expressions.

/// One of the six fields: what its values are.
pub(super) struct Field {
    pub(super) name: &'static str,
    min: u32,
    max: u32,
    names: &'static [(&'static str, u32)],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    DayOfMonth,
    DayOfWeek,
}

/// What a field matches.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// Bit `n` for the value `n`; Sunday is 0.
    pub(super) values: u64,
    pub(super) rules: Vec<Rule>,
}

/// A day that depends on the month it is in. Weekdays count from Sunday, 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `L` (0) and `L-3` (3): that many days before the month's last.
    BeforeLast(u32),
    /// `LW`: the month's last day from Monday to Friday.
    LastWorkday,
    /// `15W`: the day from Monday to Friday nearest to it.
    NearestWorkday(u32),
    /// `5L`: the month's last such weekday.
    LastOf(u32),
    /// `MON#1`: the month's n-th such weekday.
    Nth(u32, u32),
}

const fn plain(name: &'static str, max: u32) -> Field {
    Field {
        name,
        min: 0,
        max,
        names: &[],
        kind: Kind::Plain,
    }
}

pub(super) const SECOND: Field = plain("second", 59);
pub(super) const MINUTE: Field = plain("minute", 59);
pub(super) const HOUR: Field = plain("hour", 23);
pub(super) const DAY_OF_MONTH: Field = Field {
    name: "day-of-month",
    min: 1,
    max: 31,
    names: &[],
    kind: Kind::DayOfMonth,
};
pub(super) const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        ("JAN", 1),
        ("FEB", 2),
        ("MAR", 3),
        ("APR", 4),
        ("MAY", 5),
        ("JUN", 6),
        ("JUL", 7),
        ("AUG", 8),
        ("SEP", 9),
        ("OCT", 10),
        ("NOV", 11),
        ("DEC", 12),
    ],
    kind: Kind::Plain,
};
/// Counts from Monday, 1, to Sunday, 7, as `*` does; 0 is another way to write Sunday.
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day-of-week",
    min: 1,
    max: 7,
    names: &[
        ("MON", 1),
        ("TUE", 2),
        ("WED", 3),
        ("THU", 4),
        ("FRI", 5),
        ("SAT", 6),
        ("SUN", 7),
    ],
    kind: Kind::DayOfWeek,
};

impl Field {
    /// Reads `text`, upper-cased; the error says what is wrong and what would be right.
    pub(super) fn parse(&self, text: &str) -> Result<Set, String> {
        let mut set = Set::default();
        if text == "?" {
            return match self.kind {
                Kind::Plain => {
                    Err("is for the two day fields only: write `*` for every value".to_owned())
                }
                Kind::DayOfMonth | Kind::DayOfWeek => self.parse("*"),
            };
        }
        for part in text.split(',') {
            match self.rule(part)? {
                Some(rule) => set.rules.push(rule),
                None => set.values |= self.values(part)?,
            }
        }
        if self.kind == Kind::DayOfWeek && set.values & (1 << 7) != 0 {
            set.values = set.values & !(1 << 7) | 1;
        }
        Ok(set)
    }

    /// Every value of the field.
    pub(super) fn all(&self) -> u64 {
        let sunday_first = u32::from(self.kind == Kind::DayOfWeek);
        bits(self.min - sunday_first, self.max - sunday_first, 1)
    }

    fn values(&self, part: &str) -> Result<u64, String> {
        if part.is_empty() {
            return Err("has an empty part: a list is written `1,15`".to_owned());
        }
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let by = step.unwrap_or(1);
        if range == "*" {
            return Ok(bits(self.min, self.max, by));
        }
        let Some((from, to)) = range.split_once('-') else {
            let from = self.value(range)?;
            return Ok(bits(from, if step.is_some() { self.max } else { from }, by));
        };
        let (mut low, high) = (self.value(from)?, self.value(to)?);
        if self.kind == Kind::DayOfWeek && low == 7 {
            low = 0;
        }
        if low <= high {
            return Ok(bits(low, high, by));
        }
        if self.named(from).is_some() && self.named(to).is_some() {
            let size = self.max - self.min + 1;
            let values = (low..=high + size).step_by(by as usize);
            return Ok(values.fold(0, |set, n| set | 1 << ((n - self.min) % size + self.min)));
        }
        Err(format!(
            "has the range `{range}` backwards: one that goes round the end is written `{from}-{},{}-{to}`",
            self.max, self.min
        ))
    }

    fn step(&self, text: &str) -> Result<u32, String> {
        let most = match self.kind {
            Kind::DayOfWeek => self.max,
            Kind::Plain | Kind::DayOfMonth => self.max - self.min,
        };
        number(text)
            .filter(|step| (1..=most).contains(step))
            .ok_or_else(|| format!("steps by `{text}`, which must be 1 to {most}"))
    }

    fn rule(&self, part: &str) -> Result<Option<Rule>, String> {
        match self.kind {
            Kind::Plain => Ok(None),
            Kind::DayOfMonth => self.day_of_month_rule(part),
            Kind::DayOfWeek => self.day_of_week_rule(part),
        }
    }

    fn day_of_month_rule(&self, part: &str) -> Result<Option<Rule>, String> {
        if part == "L" {
            return Ok(Some(Rule::BeforeLast(0)));
        }
        if part == "LW" {
            return Ok(Some(Rule::LastWorkday));
        }
        if let Some(back) = part.strip_prefix("L-") {
            let back = number(back).filter(|back| (1..=30).contains(back));
            return back
                .map(|back| Some(Rule::BeforeLast(back)))
                .ok_or_else(|| {
                    format!(
                        "has `{part}`, which counts back from the last day and must be L-1 to L-30"
                    )
                });
        }
        match part.strip_suffix('W') {
            Some("") => {
                Err("has `W` without a day: write `15W`, or `LW` for the last weekday".to_owned())
            }
            Some(day) => Ok(Some(Rule::NearestWorkday(self.value(day)?))),
            None => Ok(None),
        }
    }

    fn day_of_week_rule(&self, part: &str) -> Result<Option<Rule>, String> {
        if let Some((day, nth)) = part.split_once('#') {
            let day = self.value(day)? % 7;
            return match number(nth) {
                Some(nth @ 1..=5) => Ok(Some(Rule::Nth(day, nth))),
                _ => Err(format!(
                    "asks for occurrence `{nth}` of a weekday, which must be 1 to 5"
                )),
            };
        }
        match part.strip_suffix('L') {
            Some("") => Err("has `L` without a weekday: write `5L` or `FRIL`".to_owned()),
            Some(day) => Ok(Some(Rule::LastOf(self.value(day)? % 7))),
            None => Ok(None),
        }
    }

    fn named(&self, text: &str) -> Option<u32> {
        let entry = self.names.iter().find(|(name, _)| *name == text);
        entry.map(|(_, value)| *value)
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let least = match self.kind {
            Kind::DayOfWeek => 0,
            Kind::Plain | Kind::DayOfMonth => self.min,
        };
        self.named(text)
            .or_else(|| number(text).filter(|n| (least..=self.max).contains(n)))
            .ok_or_else(|| {
                let max = self.max;
                let names = match self.names {
                    [] => String::new(),
                    [(first, _), .., (last, _)] => format!(" or {first} to {last}"),
                    [(only, _)] => format!(" or {only}"),
                };
                let meant = self.meant(text);
                let meant = meant.map_or(String::new(), |name| format!("; did you mean {name}?"));
                format!("has `{text}`, which must be {least} to {max}{names}{meant}")
            })
    }

    /// The name that `text` spells out or misses by one letter.
    fn meant(&self, text: &str) -> Option<&'static str> {
        let close = |name: &str| {
            let same = name.bytes().zip(text.bytes()).filter(|(a, b)| a == b);
            text.starts_with(name) || (text.len() == name.len() && same.count() == 2)
        };
        let entry = self.names.iter().find(|(name, _)| close(name));
        entry.map(|(name, _)| *name)
    }
}

fn bits(from: u32, to: u32, by: u32) -> u64 {
    (from..=to)
        .step_by(by as usize)
        .fold(0, |set, n| set | 1 << n)
}

/// Digits only: no sign, which Rust's own parser would let through.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
