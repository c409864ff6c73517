using System.Globalization;
using Npgsql;
using OrdersStream.Memory;
using OrdersStream.Postgres;
using OrdersStream.Rows;
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

    /// <summary>As it is where another version of the client has no such buffer.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task rows_are_read_alike_whether_any_is_taken_or_not(bool takes)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var connection = await database.OpenSessionAsync();
        var schema = new TableSchema(
            [
                new Column("i", new ColumnType(ColumnKind.Integer, "integer"), Nullable: false),
                new Column("x", new ColumnType(ColumnKind.Text, "text"), Nullable: true),
            ],
            [0], 0);
        var (encoder, key, value, sums) = (new MessageEncoder(schema), new ByteBuffer(), new ByteBuffer(), (Keys: 0L, Bytes: 0L));
        await using var copy = await CopyStream.OpenAsync(
            connection, "SELECT i, repeat('x', CASE WHEN i % 2000 = 0 THEN 20000 ELSE i % 50 END) FROM generate_series(1, 20000) i",
            stream => takes ? ReceivedCopyData.Of(stream) : null, TestContext.Current.CancellationToken);

        while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, TestContext.Current.CancellationToken))
            sums = (sums.Keys + int.Parse(key.Written, CultureInfo.InvariantCulture), sums.Bytes + value.Length);

        Assert.Equal((200_010_000L, 1_038_894L), sums);
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
