//! Reads expressions: values and the operators between them, those that bind least first.

use super::comparisons::Comparison;
use super::expression::{Conditional, Expression, Kind, Operand};
use super::lexer::Token;
use super::parser::{Parsed, Parser};
use crate::error::Fault;

impl<'a> Parser<'a> {
    /// Reads a value, or several with commas, which are a tuple.
    pub(super) fn expressions(&mut self) -> Parsed<'a> {
        let first = self.expression()?;
        if !self.is_sign(",") {
            return Ok(first);
        }
        let offset = first.offset;
        let mut items = vec![first];
        while self.is_sign(",") {
            self.advance()?;
            if self.is_end_of_statement() {
                break;
            }
            items.push(self.expression()?);
        }
        self.made(offset, Kind::Tuple(items))
    }

    /// Reads one value.
    pub(super) fn expression(&mut self) -> Parsed<'a> {
        let then = self.any()?;
        if !self.is_name("if") {
            return Ok(then);
        }
        let offset = then.offset;
        self.conditions += 1;
        self.check_depth()?;
        self.advance()?;
        let condition = self.any()?;
        if !self.is_name("else") {
            return Err(self.unexpected("else is expected after the condition"));
        }
        self.advance()?;
        let otherwise = self.expression()?;
        self.conditions -= 1;
        let conditional = Conditional { condition, then, otherwise };
        self.made(offset, Kind::Conditional(Box::new(conditional)))
    }

    fn any(&mut self) -> Parsed<'a> {
        self.words("or", Self::all, Kind::Or)
    }

    fn all(&mut self) -> Parsed<'a> {
        self.words("and", Self::denied, Kind::And)
    }

    fn words(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Parsed<'a>,
        kind: fn(Vec<Expression<'a>>) -> Kind<'a>,
    ) -> Parsed<'a> {
        let first = part(self)?;
        if !self.is_name(word) {
            return Ok(first);
        }
        let offset = first.offset;
        let mut parts = vec![first];
        while self.is_name(word) {
            self.advance()?;
            parts.push(part(self)?);
        }
        self.made(offset, kind(parts))
    }

    /// Reads a comparison with any number of `not` in front.
    fn denied(&mut self) -> Parsed<'a> {
        let offset = self.offset;
        let mut count = 0;
        while self.is_name("not") {
            count += 1;
            self.advance()?;
        }
        let mut value = self.comparisons()?;
        for _ in 0..if count == 0 { 0 } else { 2 - count % 2 } {
            value = self.made(offset, Kind::Not(Box::new(value)))?;
        }
        Ok(value)
    }

    fn comparisons(&mut self) -> Parsed<'a> {
        let first = self.bits()?;
        let mut rest = Vec::new();
        loop {
            let offset = self.offset;
            let Some(operator) = self.comparison()? else { break };
            rest.push(Operand { operator, offset, value: self.bits()? });
        }
        if rest.is_empty() {
            return Ok(first);
        }
        self.made(first.offset, Kind::Comparisons(Box::new(first), rest))
    }

    /// Reads an operator that compares, if there is one.
    fn comparison(&mut self) -> Result<Option<Comparison>, Fault> {
        let found = match self.token {
            Token::Sign("==") => Comparison::Equal,
            Token::Sign("!=" | "<>") => Comparison::NotEqual,
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::LessOrEqual,
            Token::Sign(">") => Comparison::Greater,
            Token::Sign(">=") => Comparison::GreaterOrEqual,
            Token::Name("in") => Comparison::In,
            Token::Name("not") => {
                self.advance()?;
                if !self.is_name("in") {
                    return Err(self.unexpected("in is expected after not"));
                }
                Comparison::NotIn
            }
            Token::Name("is") => {
                self.advance()?;
                if !self.is_name("not") {
                    return Ok(Some(Comparison::Is));
                }
                Comparison::IsNot
            }
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(found))
    }

    fn bits(&mut self) -> Parsed<'a> {
        self.operations(&["|"], Self::different_bits)
    }

    fn different_bits(&mut self) -> Parsed<'a> {
        self.operations(&["^"], Self::common_bits)
    }

    fn common_bits(&mut self) -> Parsed<'a> {
        self.operations(&["&"], Self::shifts)
    }

    fn shifts(&mut self) -> Parsed<'a> {
        self.operations(&["<<", ">>"], Self::sum)
    }

    fn sum(&mut self) -> Parsed<'a> {
        self.operations(&["+", "-"], Self::term)
    }

    fn term(&mut self) -> Parsed<'a> {
        self.operations(&["*", "/", "//", "%"], Self::signed)
    }

    fn operations(
        &mut self,
        signs: &[&'static str],
        operand: fn(&mut Self) -> Parsed<'a>,
    ) -> Parsed<'a> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Token::Sign(sign) = self.token {
            let Some(operator) = signs.iter().find(|known| **known == sign) else { break };
            let offset = self.offset;
            self.advance()?;
            rest.push(Operand { operator: *operator, offset, value: operand(self)? });
        }
        if rest.is_empty() {
            return Ok(first);
        }
        self.made(first.offset, Kind::Operations(Box::new(first), rest))
    }

    /// Reads a value with any number of signs in front.
    fn signed(&mut self) -> Parsed<'a> {
        let offset = self.offset;
        let mut signs = Vec::new();
        while let Token::Sign(sign @ ("+" | "-" | "~")) = self.token {
            signs.extend_from_slice(sign.as_bytes());
            self.advance()?;
        }
        let value = self.power()?;
        if signs.is_empty() {
            return Ok(value);
        }
        self.made(offset, Kind::Signed { signs, value: Box::new(value) })
    }

    /// Reads a value with its exponent, which has signs and an exponent of its own.
    fn power(&mut self) -> Parsed<'a> {
        let base = self.suffixed()?;
        if !self.is_sign("**") {
            return Ok(base);
        }
        let offset = self.offset;
        self.conditions += 1;
        self.check_depth()?;
        self.advance()?;
        let exponent = Operand { operator: "**", offset, value: self.signed()? };
        self.conditions -= 1;
        self.made(base.offset, Kind::Operations(Box::new(base), vec![exponent]))
    }
}
