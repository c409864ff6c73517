namespace OrdersStream.Rows;

/// <summary>The Postgres types that are carried. Everything else is refused by name when a half starts.</summary>
public enum ColumnKind
{
    SmallInt,
    Integer,
    BigInt,
    Numeric,
    Real,
    Double,
    Boolean,
    /// <summary>text, varchar, char and name of any length, and the labels of an enum.</summary>
    Text,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Bytea,
    Json,
    Jsonb,
}

/// <summary>
/// A column's type as it is carried: the kind, for numeric(p,s) precision and scale as declared, and whether it is a
/// one-dimensional array of that kind.
/// </summary>
/// <param name="Kind">The element's kind for an array.</param>
/// <param name="PostgresName">As <c>format_type</c> prints it: <c>numeric(10,2)</c>, <c>text[]</c>, an enum's own name.</param>
/// <param name="Precision">Declared decimal digits of numeric(p,s); null for numeric without a scale.</param>
/// <param name="Scale">Declared scale of numeric(p,s): may be negative, or above the precision.</param>
/// <param name="IsArray">One-dimensional array of <paramref name="Kind"/>.</param>
public sealed record ColumnType(ColumnKind Kind, string PostgresName, int? Precision = null, int? Scale = null, bool IsArray = false);

/// <summary>One column of a source table.</summary>
public sealed record Column(string Name, ColumnType Type, bool Nullable)
{
    /// <summary>What stands in the place of its values, where they are read; null: they do. It is no part of a schema.</summary>
    public ColumnMask? Mask { get; init; }
}
