//! Reads single values, with what follows them: literals, names, calls, brackets, indices, methods.

use super::expression::{Expression, Kind, Suffix};
use super::functions::{Function, is_module};
use super::lexer::Token;
use super::methods::Method;
use super::parser::{Parsed, Parser};
use super::unsupported::{is_keyword, unsupported_call, unsupported_method};
use super::value::Data;
use crate::error::Fault;
use std::env::consts::ARCH;
use std::mem;

impl<'a> Parser<'a> {
    /// Reads a value with its indices and methods.
    pub(super) fn suffixed(&mut self) -> Parsed<'a> {
        let value = self.single()?;
        let mut suffixes = Vec::new();
        loop {
            let offset = self.offset;
            let suffix = match self.token {
                Token::Sign("[") => self.index()?,
                Token::Sign(".") => self.method()?,
                Token::Sign("(") => return Err(self.unexpected("")),
                _ => break,
            };
            suffixes.push((offset, suffix));
        }
        if suffixes.is_empty() {
            return Ok(value);
        }
        self.made(value.offset, Kind::Suffixed(Box::new(value), suffixes))
    }

    fn index(&mut self) -> Result<Suffix<'a>, Fault> {
        self.open()?;
        let from = if self.is_sign(":") { None } else { Some(self.expression()?) };
        let suffix = if self.is_sign(":") {
            self.advance()?;
            let to = if self.is_sign("]") { None } else { Some(self.expression()?) };
            Suffix::Slice(from, to)
        } else {
            match from {
                Some(index) => Suffix::Index(index),
                None => Suffix::Slice(None, None),
            }
        };
        self.close("]", "] is expected")?;
        Ok(suffix)
    }

    fn method(&mut self) -> Result<Suffix<'a>, Fault> {
        self.advance()?;
        let Token::Name(name) = self.token else {
            return Err(self.unexpected("the name of a method is expected"));
        };
        let Some(method) = Method::named(name) else {
            return Err(self.fault(unsupported_method(name)));
        };
        self.advance()?;
        Ok(Suffix::Method(method, self.arguments()?))
    }

    fn single(&mut self) -> Parsed<'a> {
        let offset = self.offset;
        match &mut self.token {
            Token::Literal(Data::Text(text)) => {
                let text = mem::take(text);
                let text = self.strings(text)?;
                self.made(offset, Kind::Literal(text))
            }
            Token::Literal(number) => {
                let number = mem::replace(number, Data::None);
                self.advance()?;
                self.made(offset, Kind::Literal(number))
            }
            Token::Name(name) => {
                let name = *name;
                self.named(name)
            }
            Token::Sign(open @ ("(" | "[" | "{")) => {
                let open = *open;
                self.bracketed(open)
            }
            Token::Newline | Token::End | Token::Sign(_) => {
                Err(self.unexpected("a value is expected"))
            }
        }
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
    fn named(&mut self, name: &'a str) -> Parsed<'a> {
        if is_keyword(name) {
            return Err(self.unexpected("a value is expected"));
        }
        let offset = self.offset;
        self.advance()?;
        let kind = match (name, &self.token) {
            ("None", _) => Kind::Literal(Data::None),
            ("True", _) => Kind::Literal(Data::Bool(true)),
            ("False", _) => Kind::Literal(Data::Bool(false)),
            (module, Token::Sign(".")) if is_module(module) => self.function_of(module, offset)?,
            (name, Token::Sign("(")) => {
                let Some(function) = Function::named("", name) else {
                    return Err(Fault::new(offset, unsupported_call(name)));
                };
                Kind::Call(function, self.arguments()?)
            }
            _ => Kind::Name(name),
        };
        self.made(offset, kind)
    }

    /// Reads `os.uname()`, after `os`.
    fn function_of(&mut self, module: &str, offset: u32) -> Result<Kind<'a>, Fault> {
        let mut path = module.to_owned();
        let mut function = None;
        while self.is_sign(".") {
            self.advance()?;
            let Token::Name(name) = self.token else {
                return Err(self.unexpected("the name of a function is expected"));
            };
            if (path.as_str(), name) == ("os", "uname") {
                self.advance()?;
                return self.uname(offset);
            }
            function = Function::named(&path, name);
            path = format!("{path}.{name}");
            self.advance()?;
            if function.is_some() {
                break;
            }
        }
        match function {
            Some(function) if self.is_sign("(") => Ok(Kind::Call(function, self.arguments()?)),
            _ => Err(Fault::new(offset, unsupported_call(&path))),
        }
    }

    /// Reads `()[4]` after `os.uname`. Of the host that reads a file, only what is the same on all
    /// of them is told: the system and the processor.
    fn uname(&mut self, offset: u32) -> Result<Kind<'a>, Fault> {
        let refused = || Fault::new(offset, unsupported_call("os.uname"));
        if !self.arguments()?.is_empty() || !self.is_sign("[") {
            return Err(refused());
        }
        self.open()?;
        let text = match self.token {
            Token::Literal(Data::Int(0)) => "Linux",
            Token::Literal(Data::Int(4)) => ARCH,
            _ => return Err(refused()),
        };
        self.advance()?;
        self.close("]", "] is expected")?;
        Ok(Kind::Literal(Data::Text(text.into())))
    }

    /// Reads the arguments of a call.
    pub(super) fn arguments(&mut self) -> Result<Vec<Expression<'a>>, Fault> {
        if !self.is_sign("(") {
            return Err(self.unexpected("( is expected"));
        }
        self.open()?;
        Ok(self.items(")")?.0)
    }

    /// Reads a list, a tuple, a dictionary or a value in parentheses.
    fn bracketed(&mut self, open: &str) -> Parsed<'a> {
        let offset = self.offset;
        self.open()?;
        let kind = match open {
            "{" => Kind::Dict(self.entries()?),
            "[" => Kind::List(self.items("]")?.0),
            _ => match self.items(")")? {
                (mut items, false) if items.len() == 1 => return Ok(items.remove(0)),
                (items, _) => Kind::Tuple(items),
            },
        };
        self.made(offset, kind)
    }

    /// Reads items up to a closing bracket, and whether there was a comma.
    fn items(&mut self, end: &'static str) -> Result<(Vec<Expression<'a>>, bool), Fault> {
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

    fn entries(&mut self) -> Result<Vec<(Expression<'a>, Expression<'a>)>, Fault> {
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
}
