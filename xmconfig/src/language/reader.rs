//! Reads a file, and evaluates its values as they are read.

use super::budget::{Budget, MAX_DEPTH, MAX_FILE};
use super::lexer::{Lexer, Token};
use super::numbers::negative;
use super::operators::{apply, to_int, to_string};
use super::unsupported::{is_keyword, unsupported};
use super::value::{Data, Value};
use super::variables::Variables;
use crate::error::{Fault, XmConfigError};
use std::mem;

/// Reads the variables of a file in the literal part of Python.
pub fn read_variables(text: &[u8]) -> Result<Variables, XmConfigError> {
    read(text).map_err(|fault| XmConfigError::new(fault, text))
}

fn read(text: &[u8]) -> Result<Variables, Fault> {
    if text.len() > MAX_FILE {
        return Err(Fault::new(0, format!("the file is longer than {MAX_FILE} bytes")));
    }
    let mut reader = Reader {
        lexer: Lexer::new(text),
        token: Token::Newline,
        offset: 0,
        level: 0,
        budget: Budget::new(),
        variables: Variables::default(),
    };
    reader.file()?;
    Ok(reader.variables)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// The current word.
    token: Token<'a>,
    /// The offset of the current word.
    offset: u32,
    /// The number of open brackets.
    level: usize,
    budget: Budget,
    variables: Variables,
}

impl<'a> Reader<'a> {
    fn file(&mut self) -> Result<(), Fault> {
        loop {
            match self.token {
                Token::End => return Ok(()),
                Token::Newline | Token::Sign(";") => self.advance()?,
                // A description of the file, as Python has it.
                Token::Literal(Data::Text(_)) => {
                    self.expression()?;
                    self.end_of_statement()?;
                }
                Token::Name(name) => {
                    self.assignment(name)?;
                    self.end_of_statement()?;
                }
                Token::Literal(_) | Token::Sign(_) => {
                    return Err(self.fault("a line like NAME = VALUE is expected"));
                }
            }
        }
    }

    /// Reads `name = value`, `name = other = value` or `name += value`.
    fn assignment(&mut self, name: &'a str) -> Result<(), Fault> {
        let mut target = self.target(name)?;
        let mut others = Vec::new();
        loop {
            match self.token {
                Token::Sign("=") => self.advance()?,
                Token::Sign("+=") if others.is_empty() => return self.addition(target),
                _ => return Err(self.unexpected("= is expected after the name of a variable")),
            }
            match self.token {
                Token::Name(next) if self.is_before_equals()? => {
                    others.push(mem::replace(&mut target, self.target(next)?));
                }
                _ => break,
            }
        }
        let value = self.expressions()?;
        for (name, offset) in others {
            let charged = self.budget.charge_copies(&value.data, 1);
            charged.map_err(|reason| Fault::new(offset, reason))?;
            self.variables.set(name, offset, value.clone());
        }
        self.variables.set(target.0, target.1, value);
        Ok(())
    }

    /// Reads the value of `name += value`.
    fn addition(&mut self, (name, start): (&'a str, u32)) -> Result<(), Fault> {
        let at = self.offset;
        self.advance()?;
        let added = self.expressions()?;
        let Some(earlier) = self.variables.get_mut(name) else {
            return Err(Fault::new(at, "+= needs a variable that an earlier line sets"));
        };
        let earlier = mem::replace(&mut earlier.data, Data::None);
        let data = apply("+", earlier, added.data, &mut self.budget);
        let data = data.map_err(|reason| Fault::new(at, reason))?;
        self.variables.set(name, start, Value { offset: added.offset, data });
        Ok(())
    }

    /// The name of a variable that is set, and its offset.
    fn target(&mut self, name: &'a str) -> Result<(&'a str, u32), Fault> {
        if is_keyword(name) || matches!(name, "None" | "True" | "False") {
            return Err(self.unexpected("this name cannot be set"));
        }
        let offset = self.offset;
        self.advance()?;
        Ok((name, offset))
    }

    fn is_before_equals(&self) -> Result<bool, Fault> {
        Ok(matches!(self.lexer.clone().next()?, (Token::Sign("="), _)))
    }

    fn end_of_statement(&mut self) -> Result<(), Fault> {
        match self.token {
            Token::Newline | Token::End | Token::Sign(";") => Ok(()),
            _ => Err(self.unexpected("the end of the line is expected")),
        }
    }

    /// Reads a value, or several with commas, which are a tuple.
    fn expressions(&mut self) -> Result<Value, Fault> {
        let first = self.expression()?;
        if !matches!(self.token, Token::Sign(",")) {
            return Ok(first);
        }
        let offset = first.offset;
        let mut items = vec![first];
        while matches!(self.token, Token::Sign(",")) {
            self.advance()?;
            if matches!(self.token, Token::Newline | Token::End | Token::Sign(";")) {
                break;
            }
            items.push(self.expression()?);
        }
        self.charge(offset, 1, 0)?;
        Ok(Value { offset, data: Data::Tuple(items) })
    }

    fn expression(&mut self) -> Result<Value, Fault> {
        let mut left = self.term()?;
        while let Token::Sign(sign @ ("+" | "-")) = self.token {
            left = self.operation(sign, left, Self::term)?;
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Value, Fault> {
        let mut left = self.signed()?;
        while let Token::Sign(sign @ ("*" | "/" | "//" | "%")) = self.token {
            left = self.operation(sign, left, Self::signed)?;
        }
        Ok(left)
    }

    fn operation(
        &mut self,
        sign: &str,
        left: Value,
        operand: fn(&mut Self) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        let at = self.offset;
        self.advance()?;
        let right = operand(self)?;
        let data = apply(sign, left.data, right.data, &mut self.budget);
        let data = data.map_err(|reason| Fault::new(at, reason))?;
        Ok(Value { offset: left.offset, data })
    }

    /// Reads a value with any number of signs in front.
    fn signed(&mut self) -> Result<Value, Fault> {
        let at = self.offset;
        let mut signs = 0;
        let mut is_negative = false;
        while let Token::Sign(sign @ ("+" | "-")) = self.token {
            signs += 1;
            is_negative ^= sign == "-";
            self.advance()?;
        }
        let value = self.single()?;
        if signs == 0 {
            return Ok(value);
        }
        let turned = negative(&value.data).map_err(|reason| Fault::new(at, reason))?;
        Ok(Value { offset: at, data: if is_negative { turned } else { value.data } })
    }

    fn single(&mut self) -> Result<Value, Fault> {
        let offset = self.offset;
        let data = match &mut self.token {
            Token::Literal(Data::Text(text)) => {
                let text = mem::take(text);
                self.strings(text)?
            }
            Token::Literal(number) => {
                let number = mem::replace(number, Data::None);
                self.advance()?;
                number
            }
            Token::Name(name) => {
                let name = *name;
                return self.named(name);
            }
            Token::Sign(open @ ("(" | "[" | "{")) => {
                let open = *open;
                return self.bracketed(open);
            }
            Token::Newline | Token::End | Token::Sign(_) => {
                return Err(self.unexpected("a value is expected"));
            }
        };
        let bytes = data.size().bytes;
        self.charge(offset, 1, bytes)?;
        Ok(Value { offset, data })
    }

    /// Joins a string and those that follow it.
    fn strings(&mut self, mut text: Vec<u8>) -> Result<Data, Fault> {
        self.advance()?;
        while let Token::Literal(Data::Text(next)) = &self.token {
            text.extend_from_slice(next);
            self.advance()?;
        }
        Ok(Data::Text(text))
    }

    /// Reads a constant, a call or an earlier variable.
    fn named(&mut self, name: &'a str) -> Result<Value, Fault> {
        if is_keyword(name) {
            return Err(self.unexpected("a value is expected"));
        }
        let offset = self.offset;
        self.advance()?;
        let data = match (name, &self.token) {
            ("None", _) => Data::None,
            ("True", _) => Data::Bool(true),
            ("False", _) => Data::Bool(false),
            ("str" | "int", Token::Sign("(")) => return self.call(name, offset),
            (_, Token::Sign("(" | "." | "[")) => return Err(self.unexpected("")),
            _ => return self.variable(name, offset),
        };
        self.charge(offset, 1, 0)?;
        Ok(Value { offset, data })
    }

    fn variable(&mut self, name: &str, offset: u32) -> Result<Value, Fault> {
        let Some(variable) = self.variables.get(name) else {
            // The name is not shown: it can be a password without its quotes.
            return Err(Fault::new(
                offset,
                "no earlier line sets this variable; put text in quotes",
            ));
        };
        let data = &variable.value().data;
        let size = data.size();
        let charged = self.budget.charge(size.values, size.bytes);
        charged.map_err(|reason| Fault::new(offset, reason))?;
        if self.level + size.depth > MAX_DEPTH {
            return Err(too_deep(offset));
        }
        let data = data.clone();
        self.variables.mark_used(name);
        Ok(Value { offset, data })
    }

    /// Reads the argument of `str` or `int`.
    fn call(&mut self, name: &str, offset: u32) -> Result<Value, Fault> {
        self.open()?;
        let argument = self.expression()?;
        self.close(")", "one value and ) are expected")?;
        let data = if name == "str" {
            to_string(&argument.data, &mut self.budget)
        } else {
            to_int(&argument.data)
        };
        let data = data.map_err(|reason| Fault::new(offset, reason))?;
        Ok(Value { offset, data })
    }

    /// Reads a list, a tuple, a dictionary or a value in parentheses.
    fn bracketed(&mut self, open: &str) -> Result<Value, Fault> {
        let offset = self.offset;
        self.open()?;
        let data = match open {
            "{" => Data::Dict(self.entries()?),
            "[" => Data::List(self.items("]")?.0),
            _ => match self.items(")")? {
                (mut items, false) if items.len() == 1 => {
                    return Ok(items.remove(0));
                }
                (items, _) => Data::Tuple(items),
            },
        };
        self.charge(offset, 1, 0)?;
        Ok(Value { offset, data })
    }

    /// Reads items up to a closing bracket, and whether there was a comma.
    fn items(&mut self, end: &'static str) -> Result<(Vec<Value>, bool), Fault> {
        let mut items = Vec::new();
        let mut has_comma = false;
        while !self.is_sign(end) {
            items.push(self.expression()?);
            if !self.is_sign(",") {
                break;
            }
            has_comma = true;
            self.advance()?;
        }
        self.close(end, &format!("a comma or {end} is expected"))?;
        Ok((items, has_comma))
    }

    fn entries(&mut self) -> Result<Vec<(Value, Value)>, Fault> {
        let mut entries = Vec::new();
        while !self.is_sign("}") {
            let key = self.expression()?;
            if !self.is_sign(":") {
                return Err(self.unexpected(": is expected after a key"));
            }
            self.advance()?;
            entries.push((key, self.expression()?));
            if !self.is_sign(",") {
                break;
            }
            self.advance()?;
        }
        self.close("}", "a comma or } is expected")?;
        Ok(entries)
    }

    fn is_sign(&self, wanted: &str) -> bool {
        matches!(self.token, Token::Sign(sign) if sign == wanted)
    }

    /// Reads an opening bracket.
    fn open(&mut self) -> Result<(), Fault> {
        self.level += 1;
        if self.level > MAX_DEPTH {
            return Err(too_deep(self.offset));
        }
        self.advance()
    }

    /// Reads a closing bracket.
    fn close(&mut self, end: &str, otherwise: &str) -> Result<(), Fault> {
        if !self.is_sign(end) {
            return Err(self.unexpected(otherwise));
        }
        self.level = self.level.saturating_sub(1);
        self.advance()
    }

    fn advance(&mut self) -> Result<(), Fault> {
        let (token, offset) = self.lexer.next()?;
        self.token = token;
        self.offset = offset;
        Ok(())
    }

    fn charge(&mut self, offset: u32, values: usize, bytes: usize) -> Result<(), Fault> {
        self.budget.charge(values, bytes).map_err(|reason| Fault::new(offset, reason))
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(self.offset, reason)
    }

    /// The fault of the current word: that it is not supported, else `otherwise`.
    fn unexpected(&self, otherwise: &str) -> Fault {
        match (unsupported(&self.token), &self.token) {
            (Some(reason), _) => self.fault(reason),
            (None, Token::End) if self.level > 0 => {
                self.fault(format!("the file ends within brackets; {otherwise}"))
            }
            _ => self.fault(otherwise),
        }
    }
}

fn too_deep(offset: u32) -> Fault {
    Fault::new(offset, format!("there are more than {MAX_DEPTH} levels of brackets"))
}
