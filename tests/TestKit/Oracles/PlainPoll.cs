using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Oracles;

/// <summary>
/// What the pipeline is not: <c>updated_at &gt; last</c> over the same history. It shows that a test's history bites.
/// </summary>
public sealed class PlainPoll(TestDatabase database)
{
    private string last = "-infinity";

    public List<string> Found { get; } = [];

    /// <summary>The same with the name that the row had.</summary>
    public HashSet<(string Id, string? Name)> Versions { get; } = [];

    public async Task PollAsync()
    {
        foreach (
            var row in await database.TextRowsAsync(
                $"SELECT id::text, updated_at::text, name FROM items WHERE updated_at > '{last}' ORDER BY updated_at"))
        {
            Found.Add(row[0]!);
            Versions.Add((row[0]!, row[2]));
            last = row[1]!;
        }
    }
}
