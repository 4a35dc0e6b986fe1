//! What a value is written as, before it is evaluated.

use super::comparisons::Comparison;
use super::functions::Function;
use super::methods::Method;
use super::value::Data;

/// An expression with its position. It has no `Debug`, since a string can be a password.
pub(super) struct Expression<'a> {
    /// Byte offset in the text.
    pub(super) offset: u32,
    pub(super) kind: Kind<'a>,
}

/// What an expression is made of. Rows of operators, of suffixes and of signs are no levels, so the
/// depth of a tree is that of its brackets, conditions and exponents.
pub(super) enum Kind<'a> {
    Literal(Data),
    /// An earlier variable.
    Name(&'a str),
    /// A value with signs in front.
    Signed {
        /// `+`, `-` and `~`, from the left.
        signs: Vec<u8>,
        value: Box<Expression<'a>>,
    },
    /// `a + b - c`, from the left.
    Operations(Box<Expression<'a>>, Vec<Operand<'a, &'static str>>),
    /// `a < b < c`: each with its neighbour.
    Comparisons(Box<Expression<'a>>, Vec<Operand<'a, Comparison>>),
    Not(Box<Expression<'a>>),
    /// `a and b and c`
    And(Vec<Expression<'a>>),
    /// `a or b or c`
    Or(Vec<Expression<'a>>),
    Conditional(Box<Conditional<'a>>),
    List(Vec<Expression<'a>>),
    Tuple(Vec<Expression<'a>>),
    Dict(Vec<(Expression<'a>, Expression<'a>)>),
    Call(Function, Vec<Expression<'a>>),
    /// `a[0].strip()`
    Suffixed(Box<Expression<'a>>, Vec<(u32, Suffix<'a>)>),
}

/// An operator, and what stands on its right.
pub(super) struct Operand<'a, O> {
    pub(super) operator: O,
    /// Byte offset of the operator.
    pub(super) offset: u32,
    pub(super) value: Expression<'a>,
}

/// `then if condition else otherwise`
pub(super) struct Conditional<'a> {
    pub(super) condition: Expression<'a>,
    pub(super) then: Expression<'a>,
    pub(super) otherwise: Expression<'a>,
}

/// What follows a value.
pub(super) enum Suffix<'a> {
    /// `[0]`, `['key']`
    Index(Expression<'a>),
    /// `[1:3]`
    Slice(Option<Expression<'a>>, Option<Expression<'a>>),
    /// `.strip()`
    Method(Method, Vec<Expression<'a>>),
}
