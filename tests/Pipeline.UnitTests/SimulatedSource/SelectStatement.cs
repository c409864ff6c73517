using System.Globalization;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>
/// A SELECT as Postgres would get it, over the rows of the model: what the text says decides, not what was meant by it. It knows what
/// the product uses, with nulls as SQL has them; anything else throws.
/// </summary>
internal sealed class SelectStatement
{
    private delegate long? Value(RowVersion row);

    private enum Kind { Bool, Xid, Oid, Time, Number }

    private sealed record Expression(Kind Kind, Value Of);

    private readonly SqlTokens tokens;
    private readonly ulong nextXid;
    private readonly Value where = _ => 1;
    private readonly List<Expression> order = [];
    private readonly HashSet<string> texts = [];
    private readonly bool isDescending, isDistinct;
    private readonly int limit = int.MaxValue;

    /// <param name="sql">The statement.</param>
    /// <param name="nextXid">What age() counts from: the next transaction id as the statement's transaction first saw it.</param>
    public SelectStatement(string sql, ulong nextXid)
    {
        (tokens, this.nextXid) = (new SqlTokens(sql), nextXid);
        tokens.Take("SELECT");
        isDistinct = tokens.Takes("DISTINCT");
        do SelectItem();
        while (tokens.Takes(","));
        tokens.Take("FROM");
        tokens.TakeA('"');
        tokens.Take(".");
        tokens.TakeA('"');
        if (tokens.Takes("WHERE")) where = Condition(Or());
        if (tokens.Takes("ORDER"))
        {
            tokens.Take("BY");
            do OrderItem();
            while (tokens.Takes(","));
            isDescending = tokens.Takes("DESC");
        }
        if (tokens.Takes("LIMIT")) limit = int.Parse(tokens.TakeA('w'), CultureInfo.InvariantCulture);
        if (!tokens.IsAtEnd) throw new NotSupportedException($"more than is known here: {sql}");
    }

    /// <summary>Whether a condition on one row's transaction id holds.</summary>
    public static bool Holds(string condition, ulong xid, ulong nextXid) => new SelectStatement(
        $"SELECT xmin FROM \"a\".\"b\" WHERE {condition}", nextXid).where(new RowVersion(0, null, xid, 0, 0)) == 1;

    /// <summary>The rows that it finds; of one transaction one only where it asks for distinct ids.</summary>
    public List<RowVersion> Of(IEnumerable<RowVersion> rows)
    {
        var found = rows.Where(r => where(r) == 1).ToList();
        if (isDistinct) found = [.. found.DistinctBy(r => r.Xmin)];
        if (order.Count > 0) found.Sort(Compare);
        if (found.Count > limit) found.RemoveRange(limit, found.Count - limit);
        return found;
    }

    // Nulls are greater than all else.
    private int Compare(RowVersion a, RowVersion b)
    {
        foreach (var by in order)
        {
            var c = (by.Of(a) ?? long.MaxValue).CompareTo(by.Of(b) ?? long.MaxValue);
            if (c != 0) return isDescending ? -c : c;
        }
        return a.Key.CompareTo(b.Key);
    }

    private void SelectItem()
    {
        var column = tokens.Taken('"');
        if (column is null) tokens.Take("XMIN");
        if (!tokens.Takes("::")) return;
        tokens.Take("TEXT");
        texts.Add(column ?? "xmin");
    }

    // A name alone is first of all one of the result.
    private void OrderItem()
    {
        if (tokens.Taken('"') is not { } name)
        {
            order.Add(Scalar());
        }
        else if (tokens.Takes("."))
        {
            tokens.TakeA('"');
            tokens.Take(".");
            order.Add(Column(tokens.TakeA('"')));
        }
        else
        {
            if (texts.Contains(name)) throw new NotSupportedException($"ordered by the text of {name}");
            order.Add(Column(name));
        }
    }

    private Expression Or()
    {
        var left = And();
        while (tokens.Takes("OR"))
        {
            var (a, b) = (Condition(left), Condition(And()));
            left = new(Kind.Bool, r => a(r) is var x && x == 1 ? 1 : b(r) is var y && y == 1 ? 1 : x is null || y is null ? null : 0);
        }
        return left;
    }

    private Expression And()
    {
        var left = Not();
        while (tokens.Takes("AND"))
        {
            var (a, b) = (Condition(left), Condition(Not()));
            left = new(Kind.Bool, r => a(r) is var x && x == 0 ? 0 : b(r) is var y && y == 0 ? 0 : x is null || y is null ? null : 1);
        }
        return left;
    }

    private Expression Not()
    {
        if (!tokens.Takes("NOT")) return Predicate();
        var a = Condition(Not());
        return new(Kind.Bool, r => 1 - a(r));
    }

    private Expression Predicate()
    {
        if (!tokens.Takes("(")) return Compared(Scalar());
        var first = Or();
        if (first.Kind == Kind.Bool)
        {
            tokens.Take(")");
            return first;
        }
        List<Expression> left = [first];
        while (tokens.Takes(",")) left.Add(Scalar());
        tokens.Take(")");
        if (tokens.Takes("IN")) return In(left);
        tokens.Take(">");
        tokens.Take("(");
        List<Expression> right = [];
        do right.Add(Scalar());
        while (tokens.Takes(","));
        tokens.Take(")");
        return Greater(left, right);
    }

    private Expression Compared(Expression a)
    {
        if (tokens.Takes("BETWEEN"))
        {
            var low = Same(a, Scalar());
            tokens.Take("AND");
            var high = Same(a, Scalar());
            return new(Kind.Bool, r => a.Of(r) is { } x && low(r) is { } l && high(r) is { } h ? Bit(x >= l && x <= h) : null);
        }
        if (tokens.Takes("IS"))
        {
            tokens.Take("NULL");
            return new(Kind.Bool, r => Bit(a.Of(r) is null));
        }
        if (tokens.Takes("=")) return Any(a);
        if (tokens.Takes("<")) return Holds(a, (x, y) => x < y);
        if (tokens.Takes("<=")) return Holds(a, (x, y) => x <= y);
        if (tokens.Takes(">=")) return Holds(a, (x, y) => x >= y);
        return a;
    }

    private Expression Holds(Expression a, Func<long, long, bool> holds)
    {
        // Transaction ids have no order in Postgres.
        if (a.Kind == Kind.Xid) throw new NotSupportedException("xid has no order");
        var b = Same(a, Scalar());
        return new(Kind.Bool, r => a.Of(r) is { } x && b(r) is { } y ? Bit(holds(x, y)) : null);
    }

    private Expression Any(Expression a)
    {
        tokens.Take("ANY");
        tokens.Take("(");
        var values = tokens.Takes("ARRAY")
            ? Elements(a)
            : [.. tokens.TakeA('\'').Trim('{', '}').Split(',').Select(t => Literal(a.Kind, t))];
        tokens.Take("::");
        if (TypeName(out var isArray) != a.Kind || !isArray) throw new NotSupportedException("an array of another type");
        tokens.Take(")");
        return new(Kind.Bool, r => a.Of(r) is { } x ? Bit(values.Contains(x)) : null);
    }

    private HashSet<long> Elements(Expression a)
    {
        HashSet<long> values = [];
        tokens.Take("[");
        if (tokens.Takes("]")) return values;
        do values.Add(Same(a, Scalar())(RowVersion.None)!.Value);
        while (tokens.Takes(","));
        tokens.Take("]");
        return values;
    }

    private static Expression Greater(List<Expression> left, List<Expression> right)
    {
        if (left.Count != right.Count) throw new NotSupportedException("rows of unequal length");
        var pairs = left.Zip(right, (a, b) => (a.Of, Than: Same(a, b))).ToArray();
        return new(Kind.Bool, row =>
        {
            foreach (var (of, than) in pairs)
            {
                if (of(row) is not { } x || than(row) is not { } y) return null;
                if (x != y) return Bit(x > y);
            }
            return 0;
        });
    }

    // Of one column: the model's key.
    private Expression In(List<Expression> left)
    {
        var a = left.Single();
        HashSet<long> values = [];
        tokens.Take("(");
        tokens.Take("VALUES");
        do
        {
            tokens.Take("(");
            values.Add(Same(a, Scalar())(RowVersion.None)!.Value);
            tokens.Take(")");
        }
        while (tokens.Takes(","));
        tokens.Take(")");
        return new(Kind.Bool, r => a.Of(r) is { } x ? Bit(values.Contains(x)) : null);
    }

    private Expression Scalar()
    {
        if (tokens.Taken('\'') is { } text)
        {
            tokens.Take("::");
            var kind = TypeName(out _);
            var value = Literal(kind, text);
            return new(kind, _ => value);
        }
        return tokens.Taken('"') is { } column ? Column(column) : Word(tokens.TakeA('w'));
    }

    private static Expression Column(string name) => name switch
    {
        "order_id" => new(Kind.Number, r => r.Key),
        "updated_at" => new(Kind.Time, r => r.Time),
        _ => throw new NotSupportedException($"column {name}"),
    };

    private Expression Word(string word)
    {
        switch (word)
        {
            case "XMIN": return new(Kind.Xid, r => r.Xmin);
            case "TABLEOID": return new(Kind.Oid, r => r.Table);
            case "AGE":
                tokens.Take("(");
                var xid = Scalar();
                tokens.Take(")");
                if (xid.Kind != Kind.Xid) throw new NotSupportedException("age of no transaction id");
                return new(Kind.Number, r => Age((uint)xid.Of(r)!.Value));
            default:
                var number = long.Parse(word, CultureInfo.InvariantCulture);
                return new(Kind.Number, _ => number);
        }
    }

    /// <summary>As Postgres counts it: what is not above 2 is for ever old, the others lie on a circle.</summary>
    private long Age(uint xid) => xid < 3 ? int.MaxValue : (int)((uint)nextXid - xid);

    private Kind TypeName(out bool isArray)
    {
        var kind = tokens.TakeA('w') switch
        {
            "XID" => Kind.Xid,
            "OID" => Kind.Oid,
            "BIGINT" => Kind.Number,
            "TIMESTAMPTZ" => Kind.Time,
            "TIMESTAMP" => WithTimeZone(),
            var other => throw new NotSupportedException($"type {other}"),
        };
        isArray = tokens.Takes("[");
        if (isArray) tokens.Take("]");
        return kind;
    }

    private Kind WithTimeZone()
    {
        tokens.Take("WITH");
        tokens.Take("TIME");
        tokens.Take("ZONE");
        return Kind.Time;
    }

    private static long Literal(Kind kind, string text) =>
        kind == Kind.Time ? SimulatedClock.Read(text) : long.Parse(text, CultureInfo.InvariantCulture);

    private static Value Condition(Expression a) => a.Kind == Kind.Bool ? a.Of : throw new NotSupportedException("no condition");

    private static Value Same(Expression a, Expression b) =>
        a.Kind == b.Kind ? b.Of : throw new NotSupportedException($"{a.Kind} and {b.Kind} cannot be compared");

    private static long Bit(bool b) => b ? 1 : 0;
}
