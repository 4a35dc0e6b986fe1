//! The calls of a wire as the reference shows them. XML-RPC makes them of its tables, HTTP has the
//! page.

/// The calls that the reference has beside the pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallReference {
    /// The path of XML-RPC on the listeners of HTTP.
    pub path: &'static str,
    /// `xend.*`.
    pub legacy: Vec<CallGroup>,
    /// The Xen-API, and its address as arguments of curl; `None` if no listener has it.
    pub xen_api: Option<(String, Vec<CallGroup>)>,
}

/// Calls that belong together: those of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallGroup {
    /// `xend.domain`, or the name of a class.
    pub name: String,
    /// The object that the examples are about; `None` for a class without objects.
    pub object: Option<ExampleObject>,
    pub calls: Vec<CallExample>,
}

/// An object that a variable of the shell stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleObject {
    /// The variable, without its `$`.
    pub variable: String,
    /// Which object it is, for people.
    pub about: String,
    /// The body of the request whose answer has the object's reference, or begins with it.
    pub body: String,
}

/// A call with an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallExample {
    pub name: String,
    /// The name with the parameters, optional ones in brackets: `xend.domain.pause(dom, [state])`.
    pub signature: String,
    /// The body of a request on one line. In double quotes a shell replaces `$SESSION` and the
    /// variables of objects.
    pub body: String,
}
