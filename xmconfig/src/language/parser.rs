//! Where the reader of a file is. `parse_operators.rs` and `parse_values.rs` read expressions.

use super::budget::{MAX_DEPTH, MAX_VALUES, too_many_values};
use super::expression::{Expression, Kind};
use super::lexer::{Lexer, Token};
use super::unsupported::unsupported;
use crate::error::Fault;

/// Reads a file word by word, and expressions as a whole.
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The current word.
    pub(super) token: Token<'a>,
    /// The offset of the current word.
    pub(super) offset: u32,
    /// The number of open brackets.
    level: usize,
    /// The number of open conditions and exponents.
    pub(super) conditions: usize,
    /// How many more values the file may write.
    values: usize,
}

/// An expression, or why there is none.
pub(super) type Parsed<'a> = Result<Expression<'a>, Fault>;

impl<'a> Parser<'a> {
    /// A parser before the first word, which [`Self::advance`] reads.
    pub(super) fn new(text: &'a [u8]) -> Self {
        let lexer = Lexer::new(text);
        Self {
            lexer,
            token: Token::Newline,
            offset: 0,
            level: 0,
            conditions: 0,
            values: MAX_VALUES,
        }
    }

    /// Reads the next word.
    pub(super) fn advance(&mut self) -> Result<(), Fault> {
        let (token, offset) = self.lexer.next()?;
        self.token = token;
        self.offset = offset;
        Ok(())
    }

    /// The word after the current one.
    pub(super) fn next_token(&self) -> Result<Token<'a>, Fault> {
        Ok(self.lexer.clone().next()?.0)
    }

    /// The column in which the current word begins.
    pub(super) fn indentation(&self) -> usize {
        self.lexer.column(self.offset)
    }

    pub(super) fn is_sign(&self, wanted: &str) -> bool {
        matches!(self.token, Token::Sign(sign) if sign == wanted)
    }

    pub(super) fn is_name(&self, wanted: &str) -> bool {
        matches!(self.token, Token::Name(name) if name == wanted)
    }

    pub(super) fn is_end_of_statement(&self) -> bool {
        matches!(self.token, Token::Newline | Token::End | Token::Sign(";"))
    }

    /// Reads an opening bracket.
    pub(super) fn open(&mut self) -> Result<(), Fault> {
        self.level += 1;
        self.check_depth()?;
        self.advance()
    }

    /// Reads a closing bracket.
    pub(super) fn close(&mut self, end: &str, otherwise: &str) -> Result<(), Fault> {
        if !self.is_sign(end) {
            return Err(self.unexpected(otherwise));
        }
        self.level = self.level.saturating_sub(1);
        self.advance()
    }

    /// Refuses brackets and conditions that are too deep.
    pub(super) fn check_depth(&self) -> Result<(), Fault> {
        let is_deep = self.level + self.conditions > MAX_DEPTH;
        if is_deep { Err(too_deep(self.offset)) } else { Ok(()) }
    }

    /// An expression, which counts as one value of the file.
    pub(super) fn made(&mut self, offset: u32, kind: Kind<'a>) -> Parsed<'a> {
        match self.values.checked_sub(1) {
            Some(left) => self.values = left,
            None => return Err(Fault::new(offset, too_many_values())),
        }
        Ok(Expression { offset, kind })
    }

    pub(super) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(self.offset, reason)
    }

    /// The fault of the current word: that it is not supported, else `otherwise`.
    pub(super) fn unexpected(&self, otherwise: &str) -> Fault {
        match (unsupported(&self.token), &self.token) {
            (Some(reason), _) => self.fault(reason),
            (None, Token::End) if self.level > 0 => {
                self.fault(format!("the file ends within brackets; {otherwise}"))
            }
            _ => self.fault(otherwise),
        }
    }
}

/// The fault of too many levels of brackets.
pub(super) fn too_deep(offset: u32) -> Fault {
    Fault::new(offset, format!("there are more than {MAX_DEPTH} levels of brackets"))
}
