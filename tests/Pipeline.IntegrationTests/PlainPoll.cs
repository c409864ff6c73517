using OrdersStream.IntegrationTests.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// What the pipeline is not: <c>updated_at &gt; last</c> over the same history. It shows that a test's history bites.
/// </summary>
public sealed class PlainPoll(TestDatabase database)
{
    private string last = "-infinity";

    public List<string> Found { get; } = [];

    public async Task PollAsync()
    {
        foreach (var row in await database.TextRowsAsync($"SELECT id::text, updated_at::text FROM items WHERE updated_at > '{last}' ORDER BY updated_at"))
        {
            Found.Add(row[0]!);
            last = row[1]!;
        }
    }
}
