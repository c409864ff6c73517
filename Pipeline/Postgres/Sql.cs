namespace OrdersStream.Postgres;

/// <summary>
/// Identifiers and literals for statements that take no parameters (COPY).
/// Everything goes through here: no name is ever spliced in bare.
/// </summary>
internal static class Sql
{
    public static string Identifier(string name) => $"\"{name.Replace("\"", "\"\"")}\"";

    /// <summary>A literal under standard_conforming_strings, which every connection sets.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''")}'";

    public static string Timestamp(DateTime utc) => $"'{utc:yyyy-MM-dd HH:mm:ss.ffffff}+00'::timestamptz";
}
