namespace OrdersStream.Rows;

/// <summary>
/// Names of columns as the readers of a lake compare them: DuckDB and Spark do not tell capitals from small letters, so names that
/// differ in them alone are one name there, and one of the two columns cannot be read.
/// </summary>
public static class ReaderNames
{
    /// <summary>Of two names that some reader takes for one, the same text.</summary>
    public static string Fold(string name) => string.Create(name.Length, name, static (folded, name) =>
    {
        for (var i = 0; i < name.Length; i++) folded[i] = Fold(name[i]);
    });

    /// <summary>Some reader takes them for one.</summary>
    public static bool AreOne(string name, string other) => Fold(name) == Fold(other);

    // Spark compares letter by letter, first as capitals, then as small ones: these meet an ASCII letter there, and nowhere in .NET.
    private static char Fold(char letter) => letter switch
    {
        '\u0130' or '\u0131' => 'i',
        '\u017f' => 's',
        '\u212a' => 'k',
        _ => char.ToLowerInvariant(char.ToUpperInvariant(letter)),
    };
}
