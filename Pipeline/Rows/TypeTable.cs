using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace OrdersStream.Rows;

/// <summary>One line of the type table: a Postgres type, its form in the message, its column in Parquet.</summary>
/// <param name="Kind">How it is carried.</param>
/// <param name="TypeNames">The <c>pg_type.typname</c>s; empty for an enum and for a further line of the same type.</param>
/// <param name="Postgres">As SQL names it.</param>
/// <param name="Message">The JSON form.</param>
/// <param name="Example">A value of the example's own type, as the message carries it.</param>
/// <param name="ExampleType">Type of the example, as <c>format_type</c> prints it.</param>
/// <param name="Parquet">Physical type and annotation.</param>
public sealed record TypeRow(
    ColumnKind Kind, ImmutableArray<string> TypeNames, string Postgres, string Message, string Example,
    ColumnType ExampleType, string Parquet);

/// <summary>
/// The one place that says which Postgres types are carried, and how. docs/types.md shows the same table, and a test
/// keeps both equal. A type that is not here is refused by name: carrying it as text would be a guess about its meaning.
/// </summary>
public static class TypeTable
{
    public static ImmutableArray<TypeRow> Rows { get; } =
    [
        Row(ColumnKind.SmallInt, ["int2"], "smallint", "number", "-7", "INT32, INT(16, signed)"),
        Row(ColumnKind.Integer, ["int4"], "integer", "number", "70000", "INT32"),
        Row(ColumnKind.BigInt, ["int8"], "bigint", "number", "9007199254740993", "INT64"),
        Numeric(["numeric"], "numeric(p,s) of up to 9 digits", "number with all s decimals", "12.50", 9, 2, "INT32, DECIMAL(p,s)"),
        Numeric([], "numeric(p,s) of up to 18 digits", "number with all s decimals", "1234567890.10", 18, 2, "INT64, DECIMAL(p,s)"),
        Numeric([], "numeric(p,s) of up to 38 digits", "number with all s decimals", "12345678901234567890.1230", 38, 4,
            "FIXED_LEN_BYTE_ARRAY, DECIMAL(p,s)"),
        Numeric([], "numeric without a scale, or of more than 38 digits",
            "number with the digits that Postgres prints; \"NaN\", \"Infinity\", \"-Infinity\"", "0.100", null, null, "BYTE_ARRAY, STRING"),
        Row(ColumnKind.Real, ["float4"], "real", "shortest number that reads back; \"NaN\", \"Infinity\", \"-Infinity\"", "0.1", "FLOAT"),
        Row(ColumnKind.Double, ["float8"], "double precision",
            "shortest number that reads back; \"NaN\", \"Infinity\", \"-Infinity\"", "1E+21", "DOUBLE"),
        Row(ColumnKind.Boolean, ["bool"], "boolean", "true, false", "true", "BOOLEAN"),
        Row(ColumnKind.Text, ["text", "varchar", "bpchar", "name"], "text, varchar(n), char(n), name",
            "string; char(n) keeps its blanks", "\"Ana \\\"A.\\\"\"", "BYTE_ARRAY, STRING"),
        Row(ColumnKind.Text, [], "an enum", "string: the label", "\"PLACED\"", "BYTE_ARRAY, STRING"),
        Row(ColumnKind.Date, ["date"], "date", "string; \"infinity\", \"-infinity\"", "\"2026-02-28\"", "INT32, DATE"),
        Row(ColumnKind.Time, ["time"], "time", "string with six decimals", "\"23:59:59.000001\"", "INT64, TIME(MICROS, local)"),
        Row(ColumnKind.Timestamp, ["timestamp"], "timestamp", "string with six decimals, no zone; \"infinity\", \"-infinity\"",
            "\"2026-02-28T12:00:00.000000\"", "INT64, TIMESTAMP(MICROS, local)"),
        Row(ColumnKind.TimestampTz, ["timestamptz"], "timestamptz", "string with six decimals, UTC; \"infinity\", \"-infinity\"",
            "\"2026-02-28T12:00:00.000000Z\"", "INT64, TIMESTAMP(MICROS, UTC)"),
        Row(ColumnKind.Uuid, ["uuid"], "uuid", "string, lower case", "\"0b9cdd0c-3e5f-4a1e-8f52-6c1e2f9f2a10\"", "BYTE_ARRAY, STRING"),
        Row(ColumnKind.Bytea, ["bytea"], "bytea", "string: base64", "\"3q2+7w==\"", "BYTE_ARRAY"),
        Row(ColumnKind.Json, ["json"], "json", "string: the JSON text, to the character", "\"{\\\"a\\\": 1}\"", "BYTE_ARRAY, STRING"),
        Row(ColumnKind.Jsonb, ["jsonb"], "jsonb", "string: the JSON text that Postgres prints", "\"{\\\"a\\\": 1}\"", "BYTE_ARRAY, STRING"),
        new(ColumnKind.Integer, [], "one-dimensional array of any of these", "array; an element may be null", "[1,null,3]",
            new ColumnType(ColumnKind.Integer, "integer[]", IsArray: true), "LIST of the element's column"),
    ];

    private static readonly Dictionary<string, ColumnKind> KindByTypeName =
        Rows.SelectMany(row => row.TypeNames, (row, name) => (name, row.Kind)).ToDictionary(x => x.name, x => x.Kind);

    /// <summary>How a column is carried; false when its type is not.</summary>
    /// <param name="typeName"><c>pg_type.typname</c>: of a domain's base type, of an array's element type.</param>
    /// <param name="typtype"><c>pg_type.typtype</c> of the same type: b base, e enum.</param>
    /// <param name="typmod"><c>pg_attribute.atttypmod</c> (a domain's own is <c>pg_type.typtypmod</c>); -1 for none.</param>
    /// <param name="isArray">Whether the column is an array of that type.</param>
    /// <param name="formatTypeName">What <c>format_type</c> prints for the column.</param>
    public static bool TryResolve(
        string typeName, char typtype, int typmod, bool isArray, string formatTypeName, [NotNullWhen(true)] out ColumnType? type)
    {
        type = null;
        ColumnKind kind;
        if (typtype == 'e') kind = ColumnKind.Text;
        else if (typtype != 'b' || !KindByTypeName.TryGetValue(typeName, out kind)) return false;

        var (precision, scale) = kind == ColumnKind.Numeric ? NumericModifier(typmod) : (null, null);
        type = new ColumnType(kind, formatTypeName, precision, scale, isArray);
        return true;
    }

    /// <summary>The types that are carried, for a message that refuses another one.</summary>
    public static string Carried { get; } =
        string.Join(", ", Rows.Where(row => row.TypeNames.Length > 0).Select(row => row.Postgres.Split(" of up to ")[0]).Distinct())
        + ", enums, and one-dimensional arrays of these";

    /// <summary>The table as docs/types.md shows it.</summary>
    public static string ToMarkdown()
    {
        var text = new StringBuilder("| Postgres | message | for example | Parquet |\n|---|---|---|---|\n");
        foreach (var row in Rows)
            text.Append($"| {row.Postgres} | {row.Message} | `{row.Example}` | {row.Parquet} |\n");
        return text.ToString();
    }

    /// <summary>Precision and scale as Postgres packs them: 16 bits of precision, 11 bits of signed scale, plus 4.</summary>
    private static (int? Precision, int? Scale) NumericModifier(int typmod)
    {
        if (typmod < 4) return (null, null);
        var packed = typmod - 4;
        return ((packed >> 16) & 0xffff, ((packed & 0x7ff) ^ 1024) - 1024);
    }

    private static TypeRow Row(
        ColumnKind kind, ImmutableArray<string> typeNames, string postgres, string message, string example, string parquet) =>
        new(kind, typeNames, postgres, message, example, new ColumnType(kind, postgres), parquet);

    private static TypeRow Numeric(
        ImmutableArray<string> typeNames, string postgres, string message, string example, int? precision, int? scale, string parquet) =>
        new(ColumnKind.Numeric, typeNames, postgres, message, example,
            new ColumnType(ColumnKind.Numeric, precision is null ? "numeric" : $"numeric({precision},{scale})", precision, scale), parquet);
}
