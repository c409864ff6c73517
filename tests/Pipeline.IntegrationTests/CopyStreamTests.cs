using Npgsql;
using OrdersStream.Postgres;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>What is taken from the client's receive buffer is what the client would have given.</summary>
public sealed class CopyStreamTests(PostgresServer postgres)
{
    [Fact]
    public async Task rows_that_were_received_already_are_taken_whole_and_in_order()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var connection = await database.OpenSessionAsync();
        // Rows of every size around the receive buffer's.
        const string Query =
            "COPY (SELECT i, repeat('x', CASE WHEN i % 2000 = 0 THEN 20000 WHEN i % 1500 = 0 THEN 8192 - i % 300 ELSE i % 50 END) "
            + "FROM generate_series(1, 20000) i) TO STDOUT (FORMAT binary)";
        var (expected, reads, _) = await ReadAsync(connection, Query, take: false);
        var (actual, fewerReads, taken) = await ReadAsync(connection, Query, take: true);
        Assert.Equal(expected, actual);
        Assert.InRange(taken, expected.Length / 2, expected.Length);
        Assert.InRange(fewerReads, 1, reads / 10);
    }

    private static async Task<(byte[] Bytes, int Reads, long Taken)> ReadAsync(NpgsqlConnection connection, string query, bool take)
    {
        await using var stream = await connection.BeginRawBinaryCopyAsync(query, TestContext.Current.CancellationToken);
        var received = ReceivedCopyData.Of(stream);
        Assert.NotNull(received);
        var (all, buffer, reads, taken) = (new MemoryStream(), new byte[10_000], 0, 0L);
        while (await stream.ReadAsync(buffer, TestContext.Current.CancellationToken) is > 0 and var read)
        {
            reads++;
            all.Write(buffer, 0, read);
            if (!take) continue;
            var more = received.Take(buffer);
            all.Write(buffer, 0, more);
            taken += more;
        }
        return (all.ToArray(), reads, taken);
    }
}
