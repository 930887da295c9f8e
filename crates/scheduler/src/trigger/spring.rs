//! Spring's cron expressions: six fields or a macro.

use super::error::TriggerError;
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH, SECOND, Set};

/// An expression that was read: what each field matches.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) second: Set,
    pub(super) minute: Set,
    pub(super) hour: Set,
    pub(super) day_of_month: Set,
    pub(super) month: Set,
    pub(super) day_of_week: Set,
    /// The hour is `*` or stepped.
    pub(super) sub_daily: bool,
}

pub(super) fn parse(expression: &str) -> Result<Expression, TriggerError> {
    let upper = expression.trim().to_ascii_uppercase();
    let expanded = if upper.starts_with('@') {
        expand(&upper)?
    } else {
        &upper
    };
    let fields: Vec<&str> = expanded.split_whitespace().collect();
    let [second, minute, hour, day_of_month, month, day_of_week] = fields[..] else {
        return Err(TriggerError::Fields {
            expression: expression.to_owned(),
            found: fields.len(),
            hint: hint(expression, fields.len()),
        });
    };
    let read = |field: &Field, text: &str| {
        field.parse(text).map_err(|problem| TriggerError::Field {
            expression: expression.to_owned(),
            field: field.name,
            text: text.to_owned(),
            problem,
        })
    };
    let expression = Expression {
        second: read(&SECOND, second)?,
        minute: read(&MINUTE, minute)?,
        hour: read(&HOUR, hour)?,
        day_of_month: read(&DAY_OF_MONTH, day_of_month)?,
        month: read(&MONTH, month)?,
        day_of_week: read(&DAY_OF_WEEK, day_of_week)?,
        sub_daily: hour.contains('/'),
    };
    Ok(Expression {
        sub_daily: expression.sub_daily || expression.hour.values == HOUR.all(),
        ..expression
    })
}

fn expand(name: &str) -> Result<&'static str, TriggerError> {
    Ok(match name {
        "@YEARLY" | "@ANNUALLY" => "0 0 0 1 1 *",
        "@MONTHLY" => "0 0 0 1 * *",
        "@WEEKLY" => "0 0 0 * * 0",
        "@DAILY" | "@MIDNIGHT" => "0 0 0 * * *",
        "@HOURLY" => "0 0 * * * *",
        _ => return Err(TriggerError::Macro(name.to_ascii_lowercase())),
    })
}

fn hint(expression: &str, found: usize) -> String {
    match found {
        5 => format!("put the second first, as in `0 {}`", expression.trim()),
        7 => "there is no year field; leave it out".to_owned(),
        _ => "as in `0 */10 * * * *`".to_owned(),
    }
}
