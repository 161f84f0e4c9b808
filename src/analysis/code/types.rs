//! Simple types of expressions, where the source leaves no doubt.

use super::names::Code;
use super::tree::Id;

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Ty {
    /// A `list`.
    List,
    /// A `tuple`.
    Tuple,
    /// A `str`.
    Str,
    /// A `dict`.
    Dict,
    /// A `set` or `frozenset`.
    Set,
    /// A number or a truth value.
    Number,
    /// A numpy array of machine numbers.
    Array,
    /// A numpy array of Python objects.
    ObjectArray,
    /// A pandas `DataFrame`.
    Frame,
    /// A lock or semaphore.
    Lock,
    /// An open file.
    File,
    /// Something else, or in doubt.
    Unknown,
}

/// Functions of numpy that give an array of machine numbers unless told another `dtype`.
const ARRAY_MAKERS: &[&str] = &[
    "array",
    "asarray",
    "zeros",
    "ones",
    "empty",
    "full",
    "arange",
    "linspace",
    "eye",
    "append",
    "concatenate",
    "hstack",
    "vstack",
    "random.rand",
    "random.randn",
    "random.random",
    "random.normal",
    "random.randint",
    "random.uniform",
    "zeros_like",
    "ones_like",
    "sqrt",
    "exp",
    "sin",
    "cos",
];
const FRAME_MAKERS: &[&str] =
    &["DataFrame", "read_csv", "read_json", "read_parquet", "read_sql", "concat"];
const LOCKS: &[&str] = &["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"];

impl Code<'_> {
    /// Type of an expression.
    pub(in crate::analysis) fn ty(&self, id: Id) -> Ty {
        if let Some(known) = self.known.borrow().get(&id) {
            return *known;
        }
        // What depends on itself is in doubt; the map also ends the recursion.
        self.known.borrow_mut().insert(id, Ty::Unknown);
        let ty = self.work_out(id);
        self.known.borrow_mut().insert(id, ty);
        ty
    }

    fn work_out(&self, id: Id) -> Ty {
        match self.kind(id) {
            "list" | "list_comprehension" => Ty::List,
            "tuple" => Ty::Tuple,
            "set" | "set_comprehension" => Ty::Set,
            "dictionary" | "dictionary_comprehension" => Ty::Dict,
            "string" | "concatenated_string" if !self.text(id).starts_with(['b', 'B']) => Ty::Str,
            "integer" | "float" | "true" | "false" | "comparison_operator" => Ty::Number,
            "parenthesized_expression" => {
                self.children(id).next().map_or(Ty::Unknown, |inner| self.ty(inner))
            }
            "type" => self.annotated(id),
            "binary_operator" => self.of_operator(id),
            "call" => self.of_call(id),
            "identifier" | "attribute" => self.of_name(id),
            "subscript" => self.of_subscript(id),
            _ => Ty::Unknown,
        }
    }

    /// The type that all values of a name agree on.
    fn of_name(&self, id: Id) -> Ty {
        let Some(values) = self.values(id) else { return Ty::Unknown };
        let scope = if self.kind(id) == "identifier" { self.binding_scope(id) } else { None };
        let passed = scope.and_then(|scope| self.passed.get(&(scope, self.text(id))));
        // The first binding of a parameter is the parameter itself.
        let parameter = passed.filter(|_| values.first() == Some(&None));
        let rest = values.get(usize::from(parameter.is_some())..).unwrap_or_default();
        let mut agreed = None;
        for value in parameter.into_iter().flatten().chain(rest) {
            // A function that hands its parameter on to itself.
            let same = value.is_some_and(|value| {
                self.kind(value) == "identifier"
                    && self.text(value) == self.text(id)
                    && self.binding_scope(value) == scope
            });
            if same {
                continue;
            }
            let ty = value.map_or(Ty::Unknown, |value| {
                // `x = x + [1]` says nothing new about `x`.
                if self.within(id, value) && self.kind(value) != "call" {
                    match agreed {
                        Some(known) => known,
                        None => Ty::Unknown,
                    }
                } else {
                    self.ty(value)
                }
            });
            if ty == Ty::Unknown {
                return ty;
            }
            match agreed {
                None => agreed = Some(ty),
                Some(known) if known == ty => {}
                Some(_) => return Ty::Unknown,
            }
        }
        agreed.unwrap_or(Ty::Unknown)
    }

    fn of_operator(&self, id: Id) -> Ty {
        let (Some(left), Some(right)) = (self.child(id, "left"), self.child(id, "right")) else {
            return Ty::Unknown;
        };
        let operator = self.child(id, "operator").map_or("", |operator| self.text(operator));
        match (self.ty(left), operator, self.ty(right)) {
            (Ty::ObjectArray, _, _) | (_, _, Ty::ObjectArray) => Ty::ObjectArray,
            (Ty::Array, _, _) | (_, _, Ty::Array) => Ty::Array,
            (Ty::List, "+" | "*", _) | (_, "*", Ty::List) => Ty::List,
            (Ty::Str, "+" | "*" | "%", _) | (_, "+", Ty::Str) => Ty::Str,
            (Ty::Number, _, Ty::Number) => Ty::Number,
            _ => Ty::Unknown,
        }
    }

    fn of_subscript(&self, id: Id) -> Ty {
        let slices = self
            .children(id)
            .any(|part| self.role(part) == "subscript" && self.kind(part) == "slice");
        let Some(value) = self.child(id, "value").filter(|_| slices) else { return Ty::Unknown };
        match self.ty(value) {
            sliced @ (Ty::List | Ty::Str | Ty::Tuple | Ty::Array | Ty::ObjectArray) => sliced,
            _ => Ty::Unknown,
        }
    }

    fn annotated(&self, id: Id) -> Ty {
        let text = self.text(id);
        let name = text.split('[').next().unwrap_or(text).trim();
        match name {
            "list" | "List" | "typing.List" => Ty::List,
            "str" => Ty::Str,
            "dict" | "Dict" | "typing.Dict" => Ty::Dict,
            "set" | "Set" | "frozenset" | "typing.Set" => Ty::Set,
            "tuple" | "Tuple" => Ty::Tuple,
            "int" | "float" | "bool" => Ty::Number,
            "np.ndarray" | "numpy.ndarray" | "ndarray" => Ty::Array,
            "pd.DataFrame" | "pandas.DataFrame" | "DataFrame" => Ty::Frame,
            _ => Ty::Unknown,
        }
    }

    fn of_call(&self, call: Id) -> Ty {
        if let Some(path) = self.callee(call)
            && let Some(ty) = self.of_known_function(call, &path)
        {
            return ty;
        }
        if let Some(function) = self.definition(call)
            && self.kind(function) == "function_definition"
        {
            return self.of_results(function);
        }
        let Some((object, name)) = self.method(call) else { return Ty::Unknown };
        match (self.ty(object), name) {
            (Ty::Str, "split" | "splitlines" | "rsplit") | (Ty::File, "readlines") => Ty::List,
            (Ty::Str, "join" | "strip" | "lower" | "upper" | "replace" | "format")
            | (Ty::File, "read") => Ty::Str,
            (same @ (Ty::List | Ty::Dict | Ty::Set | Ty::Frame), "copy") => same,
            (Ty::Array, "astype") => self.array(call, self.args(call).first().copied()),
            _ => Ty::Unknown,
        }
    }

    /// The type that all results of a function of this file agree on.
    fn of_results(&self, function: Id) -> Ty {
        let mut types = self
            .results(function)
            .into_iter()
            .flatten()
            .map(|result| result.map_or(Ty::Unknown, |result| self.ty(result)));
        let Some(first) = types.next() else { return Ty::Unknown };
        if types.all(|ty| ty == first) { first } else { Ty::Unknown }
    }

    fn of_known_function(&self, call: Id, path: &str) -> Option<Ty> {
        let builtin = match path {
            "list" | "sorted" | "shlex.split" => Ty::List,
            "str" | "repr" | "json.dumps" => Ty::Str,
            "dict" | "collections.Counter" | "collections.defaultdict" => Ty::Dict,
            "set" | "frozenset" => Ty::Set,
            "tuple" => Ty::Tuple,
            "int" | "float" | "len" | "bool" | "round" => Ty::Number,
            "open" => Ty::File,
            _ => Ty::Unknown,
        };
        if builtin != Ty::Unknown {
            return Some(builtin);
        }
        if let Some(name) = path.strip_prefix("numpy.") {
            return ARRAY_MAKERS.contains(&name).then(|| self.array(call, None));
        }
        if let Some(name) = path.strip_prefix("pandas.") {
            return FRAME_MAKERS.contains(&name).then_some(Ty::Frame);
        }
        let lock =
            path.strip_prefix("threading.").or_else(|| path.strip_prefix("multiprocessing."));
        lock.filter(|name| LOCKS.contains(name)).map(|_| Ty::Lock)
    }

    /// An array by its `dtype`.
    fn array(&self, call: Id, dtype: Option<Id>) -> Ty {
        let Some(dtype) = dtype.or_else(|| self.keyword(call, "dtype")) else { return Ty::Array };
        match self.text(dtype).trim_matches(['"', '\'']) {
            "object" | "O" | "np.object_" | "numpy.object_" => Ty::ObjectArray,
            _ => Ty::Array,
        }
    }
}
