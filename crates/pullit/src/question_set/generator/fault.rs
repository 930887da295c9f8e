//! What can go wrong with a model, and what follows from it: decided here and nowhere else.

use std::time::Duration;

use thiserror::Error;

use question_maker::GenerationError;

/// Why a model gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// An HTTP status that is no success.
    #[error("status {status}{}", said(reason))]
    Status {
        /// The status.
        status: u16,
        /// What the body says of it, where it is understood.
        reason: Option<Reason>,
        /// How long the service wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// No connection, or one that broke off.
    #[error("the connection failed")]
    Connection,
    /// No whole answer within the time.
    #[error("no answer in time")]
    Timeout,
    /// The answer ends where the model ran out of tokens.
    #[error("the answer is cut off")]
    CutOff,
    /// The answer is not what was asked for.
    #[error("{0}")]
    Malformed(&'static str),
    /// The model's policy does not allow an answer.
    #[error("the model refuses to answer")]
    Refused,
}

/// What a service says beside a status, as far as something follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The key is none, or is not accepted from here.
    Access,
    /// The material does not fit into the model.
    TooLong,
    /// The material is against its policy.
    Policy,
}

fn said(reason: &Option<Reason>) -> &'static str {
    match reason {
        None => "",
        Some(Reason::Access) => " (access)",
        Some(Reason::TooLong) => " (too long)",
        Some(Reason::Policy) => " (policy)",
    }
}

/// Whose fault a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The service's: it may be well again soon, and is better left alone meanwhile.
    Service,
    /// The operator's: no request will succeed before the configuration is mended.
    Operator,
    /// This material's: others may succeed.
    Material,
    /// The model's: it answered, and badly.
    Answer,
}

/// What follows from a fault.
#[derive(Debug)]
pub(super) struct Judgement {
    /// Stable code: the set's `failure_reason`, and a label of the measurements.
    pub(super) code: &'static str,
    /// For the member.
    pub(super) message: &'static str,
    /// Whether asking again would end the same.
    pub(super) permanent: bool,
    pub(super) blame: Blame,
}

impl Fault {
    /// The one place that tells what is permanent from what is not.
    pub(super) fn judge(&self) -> Judgement {
        use {Blame as B, Reason as R};
        let (code, message, permanent, blame) = match self {
            Self::Refused
            | Self::Status {
                reason: Some(R::Policy),
                ..
            } => ("CONTENT_REFUSED", REFUSED, true, B::Material),
            Self::Status {
                reason: Some(R::TooLong),
                ..
            }
            | Self::Status { status: 413, .. } => ("SOURCES_TOO_LONG", TOO_LONG, true, B::Material),
            Self::Status {
                reason: Some(R::Access),
                ..
            }
            | Self::Status {
                status: 300..=399 | 401..=405,
                ..
            } => ("GENERATOR_MISCONFIGURED", MISCONFIGURED, true, B::Operator),
            Self::Status { status: 429, .. } => ("GENERATOR_BUSY", BUSY, false, B::Service),
            Self::Status {
                status: 408 | 409 | 425 | 500..,
                ..
            }
            | Self::Connection => ("GENERATOR_DOWN", DOWN, false, B::Service),
            Self::Timeout => ("GENERATION_TIMEOUT", SLOW, false, B::Service),
            Self::Status {
                status: 400..=499, ..
            } => ("GENERATOR_REJECTED", REJECTED, true, B::Material),
            Self::CutOff => ("ANSWER_CUT_OFF", MALFORMED, false, B::Answer),
            Self::Status { .. } | Self::Malformed(_) => {
                ("MALFORMED_ANSWER", MALFORMED, false, B::Answer)
            }
        };
        Judgement {
            code,
            message,
            permanent,
            blame,
        }
    }

    /// How long the service wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether asking again within the same attempt may help and costs little.
    pub(super) fn worth_asking_at_once(&self) -> bool {
        *self != Self::Timeout && self.judge().blame == Blame::Service
    }
}

impl From<Fault> for GenerationError {
    fn from(fault: Fault) -> Self {
        let judgement = fault.judge();
        let (code, message) = (judgement.code, judgement.message.to_owned());
        if judgement.permanent {
            Self::Permanent { code, message }
        } else {
            Self::Transient {
                code,
                message,
                retry_after: fault.retry_after(),
            }
        }
    }
}

/// Also said of material that is not even sent.
pub(super) const TOO_LONG: &str =
    "학습 소스의 글이 너무 깁니다. 소스를 나누어 문제집을 만들어 주세요.";
const REFUSED: &str = "학습 소스의 내용으로는 문제를 만들 수 없습니다.";
const MISCONFIGURED: &str = "문제 생성 서비스를 사용할 수 없습니다. 관리자에게 문의해 주세요.";
const REJECTED: &str = "문제 생성 서비스가 이 학습 소스를 받아들이지 않았습니다.";
const BUSY: &str = "문제 생성 요청이 많습니다.";
const DOWN: &str = "문제 생성 서비스가 응답하지 않습니다.";
const SLOW: &str = "문제 생성이 제한 시간 안에 끝나지 않았습니다.";
const MALFORMED: &str = "만들어진 문제가 올바르지 않습니다.";

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Fault {
        Fault::Status {
            status,
            reason: None,
            retry_after: None,
        }
    }

    fn because(status: u16, reason: Reason) -> Fault {
        Fault::Status {
            status,
            reason: Some(reason),
            retry_after: None,
        }
    }

    #[test]
    fn what_is_permanent_and_whose_fault_it_is_stands_in_one_table() {
        use Blame::{Answer, Material, Operator, Service};
        let table = [
            (status(302), "GENERATOR_MISCONFIGURED", true, Operator),
            (status(400), "GENERATOR_REJECTED", true, Material),
            (status(401), "GENERATOR_MISCONFIGURED", true, Operator),
            (status(402), "GENERATOR_MISCONFIGURED", true, Operator),
            (status(403), "GENERATOR_MISCONFIGURED", true, Operator),
            (status(404), "GENERATOR_MISCONFIGURED", true, Operator),
            (status(408), "GENERATOR_DOWN", false, Service),
            (status(409), "GENERATOR_DOWN", false, Service),
            (status(413), "SOURCES_TOO_LONG", true, Material),
            (status(422), "GENERATOR_REJECTED", true, Material),
            (status(425), "GENERATOR_DOWN", false, Service),
            (status(429), "GENERATOR_BUSY", false, Service),
            (status(500), "GENERATOR_DOWN", false, Service),
            (status(503), "GENERATOR_DOWN", false, Service),
            (status(529), "GENERATOR_DOWN", false, Service),
            (
                because(400, Reason::Access),
                "GENERATOR_MISCONFIGURED",
                true,
                Operator,
            ),
            (
                because(400, Reason::TooLong),
                "SOURCES_TOO_LONG",
                true,
                Material,
            ),
            (
                because(400, Reason::Policy),
                "CONTENT_REFUSED",
                true,
                Material,
            ),
            (
                because(403, Reason::Policy),
                "CONTENT_REFUSED",
                true,
                Material,
            ),
            (Fault::Refused, "CONTENT_REFUSED", true, Material),
            (Fault::Connection, "GENERATOR_DOWN", false, Service),
            (Fault::Timeout, "GENERATION_TIMEOUT", false, Service),
            (Fault::CutOff, "ANSWER_CUT_OFF", false, Answer),
            (Fault::Malformed("x"), "MALFORMED_ANSWER", false, Answer),
        ];
        for (fault, code, permanent, blame) in table {
            let judgement = fault.judge();
            assert_eq!(
                (judgement.code, judgement.permanent, judgement.blame),
                (code, permanent, blame),
                "{fault:?}"
            );
            let error = GenerationError::from(fault);
            assert_eq!((error.code(), error.retryable()), (code, !permanent));
        }
    }

    #[test]
    fn every_status_has_a_judgement_and_no_4xx_but_the_known_ones_is_tried_again() {
        for code in 300..600 {
            let retried = !status(code).judge().permanent;
            let expected = matches!(code, 408 | 409 | 425 | 429 | 500..);
            assert_eq!(retried, expected, "{code}");
        }
    }

    #[test]
    fn what_took_all_its_time_is_not_asked_again_at_once() {
        assert!(status(500).worth_asking_at_once());
        assert!(status(429).worth_asking_at_once());
        assert!(!Fault::Timeout.worth_asking_at_once());
        assert!(!status(400).worth_asking_at_once());
        assert!(!Fault::CutOff.worth_asking_at_once());
    }
}
