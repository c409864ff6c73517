using Npgsql;

namespace OrdersStream.Benchmarks.Limits;

/// <summary>COPY ... TO STDOUT (FORMAT binary), read in pieces of 64 KiB and thrown away.</summary>
internal static class CopyLimit
{
    public static async Task<LimitResult> RunAsync(LimitTask task, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(task.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        var buffer = new byte[64 * 1024];
        var operation = new OperationTime();
        var bytes = 0L;
        await using (var copy = await connection.BeginRawBinaryCopyAsync($"COPY {task.Table} TO STDOUT (FORMAT binary)", cancellationToken))
        {
            for (int read; (read = copy.Read(buffer)) > 0; bytes += read) cancellationToken.ThrowIfCancellationRequested();
        }
        return operation.End(task.Rows, bytes);
    }
}
