using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Memory;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>All rows of the source table as one snapshot shows them, through the same encoder that publishes them.</summary>
internal sealed class TableScan(PostgresOptions options)
{
    /// <summary>What is done with a row: the row itself, its key's text, and whether the horizon has it.</summary>
    public delegate void Visitor(DecodedRow row, ReadOnlySpan<byte> key, bool isCovered);

    /// <summary>Opens a snapshot and hands over the rows.</summary>
    /// <param name="horizon">Everything in it is published; null: nothing is known to be.</param>
    /// <param name="visitorFor">Given the table's present schema first.</param>
    public async Task ReadAsync(Horizon? horizon, Func<TableSchema, Visitor> visitorFor, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        var table = await SourceCatalog.LockAsync(connection, options, cancellationToken);
        var visit = visitorFor(table.Schema);
        if (horizon is null)
        {
            await ReadAsync(connection, table, "true", (row, key, _) => visit(row, key, false), cancellationToken);
            return;
        }
        var covered = horizon.Contains("xmin");
        await ReadAsync(connection, table, covered, (row, key, _) => visit(row, key, true), cancellationToken);
        await ReadAsync(connection, table, $"NOT {covered}", (row, key, _) => visit(row, key, false), cancellationToken);
    }

    private static async Task ReadAsync(
        NpgsqlConnection connection, SourceTable table, string condition, Visitor visit, CancellationToken cancellationToken)
    {
        var schema = table.Schema;
        var (encoder, decoder, row) = (new MessageEncoder(schema), new MessageDecoder(schema), new DecodedRow(schema));
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        await using var copy = await CopyStream.OpenAsync(connection, $"{table.SelectRows} WHERE {condition}", cancellationToken);
        while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
        {
            decoder.Decode(value.Written, row);
            visit(row, key.Written, false);
        }
    }
}
