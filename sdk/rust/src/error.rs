use std::fmt;

use crate::abi::{Code, CODE_CONFIG, CODE_INTERNAL};

/// The result of whatever can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its code. A policy returns one to say whose fault it is.
///
/// It is made of any other error by `?`, with [`CODE_INTERNAL`]: so that this
/// works, `Error` itself is no [`std::error::Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Says whose fault it is; below 0.
    pub code: Code,
    /// What the user reads; where it is empty, the code's name.
    pub message: String,
}

impl Error {
    /// An error of a code.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into() }
    }

    /// A parameter that the user has to change: the host shows `parameter k: is …`.
    pub fn unusable(parameter: &str, reason: impl fmt::Display) -> Error {
        Error::new(CODE_CONFIG, format!("parameter {}: {}", parameter, reason))
    }

    /// The same error under a message of what was being done.
    pub fn during(self, doing: impl fmt::Display) -> Error {
        Error::new(self.code, format!("{}: {}", doing, self))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message.as_str(), self.code.name()) {
            ("", "") => write!(f, "error {}", self.code.0),
            ("", name) => f.write_str(name),
            (message, _) => f.write_str(message),
        }
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Error {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{}: {}", message, error);
            cause = error.source();
        }
        Error::new(CODE_INTERNAL, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::CODE_RANGE;

    #[test]
    fn shows_its_message_or_its_code() {
        assert_eq!(Error::new(CODE_RANGE, "row 7 of 7").to_string(), "row 7 of 7");
        assert_eq!(Error::new(CODE_RANGE, "").to_string(), "out of range");
        assert_eq!(Error::new(Code(-77), "").to_string(), "error -77");
        let error = Error::new(CODE_RANGE, "").during("reading a view");
        assert_eq!(error, Error::new(CODE_RANGE, "reading a view: out of range"));
        let error = Error::unusable("k", "is odd");
        assert_eq!(error, Error::new(CODE_CONFIG, "parameter k: is odd"));
    }

    #[test]
    fn is_made_of_other_errors() {
        fn parse(text: &str) -> Result<i32> {
            Ok(text.parse::<i32>()?)
        }
        assert_eq!(parse("12"), Ok(12));
        let error = parse("twelve").unwrap_err();
        assert_eq!(error, Error::new(CODE_INTERNAL, "invalid digit found in string"));
    }
}
