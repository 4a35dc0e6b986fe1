//! Reads a file statement by statement, and evaluates each before it reads the next.

use super::budget::{MAX_DEPTH, MAX_FILE};
use super::evaluate::{Evaluator, at};
use super::expression::Expression;
use super::functions::is_module;
use super::lexer::Token;
use super::operators::apply;
use super::parser::Parser;
use super::unsupported::{is_keyword, unsupported_call, unsupported_method, unsupported_module};
use super::value::{Data, Value};
use super::variables::Variables;
use crate::error::{Fault, XmConfigError};
use std::mem;

/// Operators that change a variable.
#[rustfmt::skip]
const CHANGES: [&str; 12] =
    ["+=", "-=", "*=", "/=", "//=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^="];

/// Reads the variables of a file.
pub fn read_variables(text: &[u8]) -> Result<Variables, XmConfigError> {
    read(text, Variables::default()).map_err(|fault| XmConfigError::new(fault, text))
}

/// Reads the variables of a file in which some are set from the start.
pub(crate) fn read(text: &[u8], variables: Variables) -> Result<Variables, Fault> {
    if text.len() > MAX_FILE {
        return Err(Fault::new(0, format!("the file is longer than {MAX_FILE} bytes")));
    }
    let evaluator = Evaluator::new(variables);
    let mut reader = Reader { parser: Parser::new(text), evaluator, blocks: 0 };
    reader.file()?;
    Ok(reader.evaluator.variables)
}

struct Reader<'a> {
    parser: Parser<'a>,
    evaluator: Evaluator,
    /// The number of blocks around the current statement.
    blocks: usize,
}

impl<'a> Reader<'a> {
    fn file(&mut self) -> Result<(), Fault> {
        loop {
            match self.parser.token {
                Token::End => return Ok(()),
                Token::Newline | Token::Sign(";") => self.parser.advance()?,
                _ => self.statement(true)?,
            }
        }
    }

    /// Reads a statement, and carries it out if the condition before it holds.
    fn statement(&mut self, is_active: bool) -> Result<(), Fault> {
        match self.parser.token {
            // A description of the file, as Python has it.
            Token::Literal(Data::Text(_)) => {
                let text = self.parser.expression()?;
                self.evaluate(text, is_active)?;
            }
            Token::Name("if") => return self.conditional(is_active),
            Token::Name("elif" | "else") => {
                return Err(self
                    .parser
                    .fault("no if that is as deep as this line stands before it"));
            }
            Token::Name("import") => self.import()?,
            Token::Name("pass") => self.parser.advance()?,
            Token::Name(name) => self.assignment(name, is_active)?,
            Token::Literal(_) | Token::Sign(_) | Token::Newline | Token::End => {
                return Err(self.parser.fault("a line like NAME = VALUE is expected"));
            }
        }
        if self.parser.is_end_of_statement() {
            return Ok(());
        }
        Err(self.parser.unexpected("the end of the line is expected"))
    }

    fn evaluate(
        &mut self,
        expression: Expression<'a>,
        is_active: bool,
    ) -> Result<Option<Value>, Fault> {
        is_active.then(|| self.evaluator.value(expression)).transpose()
    }

    /// Reads `if`, `elif` and `else` with their blocks.
    fn conditional(&mut self, is_active: bool) -> Result<(), Fault> {
        let indentation = self.parser.indentation();
        let mut is_open = is_active;
        loop {
            let is_last = self.parser.is_name("else");
            self.parser.advance()?;
            let mut is_taken = is_open;
            if !is_last {
                let condition = self.parser.expression()?;
                let value = self.evaluate(condition, is_open)?;
                is_taken = value.is_some_and(|value| value.data.is_true());
            }
            is_open &= !is_taken;
            self.block(indentation, is_taken)?;
            let is_next = self.parser.is_name("elif") || self.parser.is_name("else");
            if is_last || !is_next || self.parser.indentation() != indentation {
                return Ok(());
            }
        }
    }

    /// Reads the statements after a condition, on its line or on deeper lines.
    fn block(&mut self, outer: usize, is_active: bool) -> Result<(), Fault> {
        if !self.parser.is_sign(":") {
            return Err(self.parser.unexpected(": is expected after the condition"));
        }
        self.blocks += 1;
        if self.blocks > MAX_DEPTH {
            let reason = format!("there are more than {MAX_DEPTH} conditions within each other");
            return Err(self.parser.fault(reason));
        }
        self.parser.advance()?;
        if matches!(self.parser.token, Token::Newline) {
            self.lines(outer, is_active)?;
        } else {
            self.line(is_active)?;
        }
        self.skip_empty_lines()?;
        self.blocks -= 1;
        Ok(())
    }

    /// Reads the lines that are deeper than the one of the condition.
    fn lines(&mut self, outer: usize, is_active: bool) -> Result<(), Fault> {
        self.skip_empty_lines()?;
        let inner = self.parser.indentation();
        if inner <= outer || matches!(self.parser.token, Token::End) {
            return Err(self.parser.fault("a deeper line is expected after the condition"));
        }
        loop {
            self.line(is_active)?;
            self.skip_empty_lines()?;
            let indentation = self.parser.indentation();
            if indentation <= outer || matches!(self.parser.token, Token::End) {
                return Ok(());
            }
            if indentation != inner {
                return Err(self.parser.fault("the line is not as deep as the one before"));
            }
        }
    }

    /// Reads the statements up to the end of the line. A condition is the last of its line.
    fn line(&mut self, is_active: bool) -> Result<(), Fault> {
        loop {
            let is_last = self.parser.is_name("if");
            self.statement(is_active)?;
            if is_last {
                return Ok(());
            }
            while self.parser.is_sign(";") {
                self.parser.advance()?;
            }
            if self.parser.is_end_of_statement() {
                return Ok(());
            }
        }
    }

    fn skip_empty_lines(&mut self) -> Result<(), Fault> {
        while matches!(self.parser.token, Token::Newline) {
            self.parser.advance()?;
        }
        Ok(())
    }

    /// Reads `import os, re`. What a module has is looked at where it is used.
    fn import(&mut self) -> Result<(), Fault> {
        loop {
            self.parser.advance()?;
            let offset = self.parser.offset;
            let mut path = String::new();
            while let Token::Name(name) = self.parser.token {
                path.push_str(name);
                self.parser.advance()?;
                if self.parser.is_sign(".") {
                    path.push('.');
                    self.parser.advance()?;
                }
            }
            if !is_module(&path) {
                return Err(Fault::new(offset, unsupported_module(&path)));
            }
            if !self.parser.is_sign(",") {
                return Ok(());
            }
        }
    }

    /// Reads `name = value`, `name = other = value`, `name += value` or `name.append(value)`.
    fn assignment(&mut self, name: &'a str, is_active: bool) -> Result<(), Fault> {
        let mut target = self.target(name)?;
        let mut others = Vec::new();
        loop {
            match self.parser.token {
                Token::Sign("=") => self.parser.advance()?,
                Token::Sign(sign) if others.is_empty() && CHANGES.contains(&sign) => {
                    return self.change(target, sign, is_active);
                }
                Token::Sign(".") if others.is_empty() => return self.method(target, is_active),
                Token::Sign("(") => return Err(Fault::new(target.1, unsupported_call(target.0))),
                _ => {
                    let reason = "= is expected after the name of a variable";
                    return Err(self.parser.unexpected(reason));
                }
            }
            match self.parser.token {
                Token::Name(next) if matches!(self.parser.next_token()?, Token::Sign("=")) => {
                    others.push(mem::replace(&mut target, self.target(next)?));
                }
                _ => break,
            }
        }
        let expression = self.parser.expressions()?;
        let Some(value) = self.evaluate(expression, is_active)? else { return Ok(()) };
        for (name, offset) in others {
            self.evaluator.budget.charge_copies(&value.data, 1).map_err(at(offset))?;
            self.evaluator.variables.set(name, offset, value.clone());
        }
        self.evaluator.variables.set(target.0, target.1, value);
        Ok(())
    }

    /// Reads the value of `name += value`.
    fn change(
        &mut self,
        (name, start): (&'a str, u32),
        sign: &'static str,
        is_active: bool,
    ) -> Result<(), Fault> {
        let offset = self.parser.offset;
        self.parser.advance()?;
        let expression = self.parser.expressions()?;
        let Some(value) = self.evaluate(expression, is_active)? else { return Ok(()) };
        let Some(earlier) = self.evaluator.variables.get_mut(name) else {
            let reason = format!("{sign} needs a variable that an earlier line sets");
            return Err(Fault::new(offset, reason));
        };
        let earlier = mem::replace(&mut earlier.data, Data::None);
        let sign = sign.trim_end_matches('=');
        let data = apply(sign, earlier, value.data, &mut self.evaluator.budget);
        let data = data.map_err(at(offset))?;
        self.evaluator.variables.set(name, start, Value { offset: value.offset, data });
        Ok(())
    }

    /// Reads `.append(value)` or `.extend(values)` after the name of a list.
    fn method(&mut self, (name, start): (&'a str, u32), is_active: bool) -> Result<(), Fault> {
        self.parser.advance()?;
        let offset = self.parser.offset;
        let Token::Name(method) = self.parser.token else {
            return Err(self.parser.unexpected("append or extend is expected"));
        };
        if !matches!(method, "append" | "extend") {
            let is_of_module = is_module(name) || name == "xm_vars";
            return Err(if is_of_module {
                Fault::new(start, unsupported_call(&format!("{name}.{method}")))
            } else {
                Fault::new(offset, unsupported_method(method))
            });
        }
        self.parser.advance()?;
        let mut arguments = self.parser.arguments()?;
        let (Some(argument), true) = (arguments.pop(), arguments.is_empty()) else {
            return Err(Fault::new(offset, "one value is expected within the brackets"));
        };
        let value = is_active.then(|| self.evaluator.item(argument)).transpose()?;
        let Some(value) = value else { return Ok(()) };
        let added = match (method, value.data) {
            ("append", data) => vec![Value { offset: value.offset, data }],
            (_, Data::List(items) | Data::Tuple(items)) => items,
            _ => return Err(Fault::new(value.offset, "extend takes a list")),
        };
        match self.evaluator.variables.get_mut(name).map(|list| &mut list.data) {
            Some(Data::List(items)) => items.extend(added),
            _ => return Err(Fault::new(start, "an earlier line must set this variable to a list")),
        }
        Ok(())
    }

    /// The name of a variable that is set, and its offset.
    fn target(&mut self, name: &'a str) -> Result<(&'a str, u32), Fault> {
        if is_keyword(name) || matches!(name, "None" | "True" | "False") {
            return Err(self.parser.unexpected("this name cannot be set"));
        }
        let offset = self.parser.offset;
        self.parser.advance()?;
        Ok((name, offset))
    }
}
