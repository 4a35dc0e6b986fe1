//! Evaluates expressions.

use super::budget::{Budget, MAX_DEPTH};
use super::comparisons::{Comparison, compare};
use super::expression::{Expression, Kind, Operand, Suffix};
use super::functions::call;
use super::methods::{apply_method, index, slice};
use super::numbers::signed;
use super::operators::apply;
use super::parser::too_deep;
use super::value::{Data, Value};
use super::variables::Variables;
use crate::error::Fault;

/// What expressions are made of: earlier variables, and the budget of a file.
pub(super) struct Evaluator {
    pub(super) budget: Budget,
    pub(super) variables: Variables,
}

impl Evaluator {
    /// An evaluator of a new file.
    pub(super) fn new(variables: Variables) -> Self {
        Self { budget: Budget::new(), variables }
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expression: Expression<'_>) -> Result<Value, Fault> {
        self.within(expression, 0)
    }

    /// The value of an expression that becomes an item of a list.
    pub(super) fn item(&mut self, expression: Expression<'_>) -> Result<Value, Fault> {
        self.within(expression, 1)
    }

    /// The value of an expression inside of so many lists, tuples and dictionaries. The depth of
    /// the expression, which the parser limits, bounds the recursion.
    fn within(&mut self, expression: Expression<'_>, level: usize) -> Result<Value, Fault> {
        let offset = expression.offset;
        let data = match expression.kind {
            Kind::Literal(data) => data,
            Kind::Name(name) => return self.variable(name, offset, level),
            Kind::Signed { signs, value } => {
                let mut data = self.within(*value, level)?.data;
                for sign in signs.iter().rev() {
                    data = signed(*sign, data).map_err(at(offset))?;
                }
                return Ok(Value { offset, data });
            }
            Kind::Operations(first, rest) => return self.operations(*first, rest, level),
            Kind::Comparisons(first, rest) => Data::Bool(self.comparisons(*first, rest, level)?),
            Kind::Not(value) => Data::Bool(!self.within(*value, level)?.data.is_true()),
            Kind::And(parts) => return self.first(parts, level, false),
            Kind::Or(parts) => return self.first(parts, level, true),
            Kind::Conditional(parts) => {
                let is_true = self.within(parts.condition, level)?.data.is_true();
                return self.within(if is_true { parts.then } else { parts.otherwise }, level);
            }
            Kind::List(items) => Data::List(self.items(items, level + 1)?),
            Kind::Tuple(items) => Data::Tuple(self.items(items, level + 1)?),
            Kind::Dict(entries) => {
                let mut values = Vec::new();
                for (key, value) in entries {
                    values.push((self.within(key, level + 1)?, self.within(value, level + 1)?));
                }
                Data::Dict(values)
            }
            Kind::Call(function, arguments) => {
                let arguments = self.items(arguments, level)?;
                let data = call(function, &arguments, &mut self.budget).map_err(at(offset))?;
                return Ok(Value { offset, data });
            }
            Kind::Suffixed(value, suffixes) => {
                let mut value = self.within(*value, level)?;
                for (at_suffix, suffix) in suffixes {
                    let data = self.suffixed(value, suffix, level, at_suffix)?;
                    value = Value { offset, data };
                }
                return Ok(value);
            }
        };
        let bytes = if let Data::Text(text) = &data { text.len() } else { 0 };
        self.budget.charge(1, bytes).map_err(at(offset))?;
        Ok(Value { offset, data })
    }

    fn items(&mut self, items: Vec<Expression<'_>>, level: usize) -> Result<Vec<Value>, Fault> {
        items.into_iter().map(|item| self.within(item, level)).collect()
    }

    fn variable(&mut self, name: &str, offset: u32, level: usize) -> Result<Value, Fault> {
        let Some(variable) = self.variables.get(name) else {
            // The name is not shown: it can be a password without its quotes.
            let reason = "no earlier line sets this variable; put text in quotes";
            return Err(Fault::new(offset, reason));
        };
        let data = &variable.value().data;
        let size = data.size();
        self.budget.charge(size.values, size.bytes).map_err(at(offset))?;
        if level + size.depth > MAX_DEPTH {
            return Err(too_deep(offset));
        }
        let data = data.clone();
        self.variables.mark_used(name);
        Ok(Value { offset, data })
    }

    fn operations(
        &mut self,
        first: Expression<'_>,
        rest: Vec<Operand<'_, &'static str>>,
        level: usize,
    ) -> Result<Value, Fault> {
        let Value { offset, mut data } = self.within(first, level)?;
        for operand in rest {
            let right = self.within(operand.value, level)?.data;
            data = apply(operand.operator, data, right, &mut self.budget)
                .map_err(at(operand.offset))?;
        }
        Ok(Value { offset, data })
    }

    /// Whether each value compares with its neighbour as it should.
    fn comparisons(
        &mut self,
        first: Expression<'_>,
        rest: Vec<Operand<'_, Comparison>>,
        level: usize,
    ) -> Result<bool, Fault> {
        let mut left = self.within(first, level)?.data;
        for operand in rest {
            let right = self.within(operand.value, level)?.data;
            if !compare(&left, operand.operator, &right).map_err(at(operand.offset))? {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    /// The first value that is `wanted` as a truth value, else the last.
    fn first(
        &mut self,
        parts: Vec<Expression<'_>>,
        level: usize,
        wanted: bool,
    ) -> Result<Value, Fault> {
        let mut found = Value { offset: 0, data: Data::None };
        for part in parts {
            found = self.within(part, level)?;
            if found.data.is_true() == wanted {
                break;
            }
        }
        Ok(found)
    }

    fn suffixed(
        &mut self,
        value: Value,
        suffix: Suffix<'_>,
        level: usize,
        offset: u32,
    ) -> Result<Data, Fault> {
        let result = match suffix {
            Suffix::Index(place) => index(value.data, &self.within(place, level)?.data),
            Suffix::Slice(from, to) => {
                let mut bound = |bound: Option<Expression<'_>>| {
                    bound.map(|bound| Ok(self.within(bound, level)?.data)).transpose()
                };
                let from = bound(from)?;
                let to = bound(to)?;
                slice(value.data, from.as_ref(), to.as_ref())
            }
            Suffix::Method(method, arguments) => {
                let arguments = self.items(arguments, level)?;
                apply_method(method, &value, &arguments, &mut self.budget)
            }
        };
        result.map_err(at(offset))
    }
}

/// Makes a fault of a reason.
pub(super) fn at(offset: u32) -> impl Fn(String) -> Fault {
    move |reason| Fault::new(offset, reason)
}
