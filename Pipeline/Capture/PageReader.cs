using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Memory;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// Reads a window as pages: one binary COPY, streamed, cut by bytes, and reopened at the cursor before a snapshot grows old.
/// The columns are read from the catalogue under the lock that the COPY holds anyway, so a page is always of one schema.
/// </summary>
internal sealed class PageReader(
    NpgsqlConnection connection, PostgresOptions options, int partitions, TooLargeRows tooLarge, LockWait lockWait, TimeProvider time)
{
    /// <summary>The first page of a window is smaller by this: it is on its way while the second one is read.</summary>
    private const int FirstPageDivisor = 8;

    /// <summary>Size of a page that is kept when its window is done.</summary>
    private const int KeptPageBytes = 1024 * 1024;

    /// <summary>
    /// Deletes of a page: who stores it keeps it until it is whole, and a delete, of some bytes here, takes some hundred there, its
    /// headers among them (invariant 7).
    /// </summary>
    private const int DeletesMax = 20_000;

    private readonly WalFlush flush = new(connection, options, time);

    /// <summary>Pages that were published, to be filled again: at most one is being filled, one waits and one is published.</summary>
    private readonly ConcurrentQueue<Page> spare = [];

    /// <summary>The pages of the window behind its cursor; the next is read while the last one is being published.</summary>
    /// <remarks>
    /// A page is filled anew once the next one is asked for. Disposing the enumeration cancels what the server still sends.
    /// </remarks>
    public async IAsyncEnumerable<Page> ReadAsync(
        Window window, SourceIdentity source, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ahead = Channel.CreateBounded<Page>(new BoundedChannelOptions(1) { SingleReader = true, SingleWriter = true });
        var reading = Task.Run(() => FillAsync(window, source, ahead.Writer, stop.Token), CancellationToken.None);
        try
        {
            await foreach (var page in ahead.Reader.ReadAllAsync(cancellationToken))
            {
                yield return page;
                spare.Enqueue(page);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading;
            DropLargePages();
        }
    }

    /// <summary>
    /// The rows of a page that was torn, of those partitions in which it is missing: as far as they are as they were. None where the table
    /// has another key by now: the page's ends mean nothing any more, and the whole window is read again.
    /// </summary>
    /// <param name="torn">The page.</param>
    /// <param name="window">Its window, up to it.</param>
    /// <param name="source">The table.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<Page> ReadAgainAsync(TornPage torn, Window window, SourceIdentity source, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var table = await LockAsync(window, cancellationToken);
        source.CheckSameTable(source with { TableOid = table.Oid });
        // The window's rows come behind its deletes.
        var page = window.Cursor is not null ? await RowsAgainAsync(torn, window, table, cancellationToken)
            : window.Marked is not null ? await MarkedAgainAsync(torn, window, table, cancellationToken)
            : await DeletesAgainAsync(torn, window, table, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return page;
    }

    private async Task<Page> RowsAgainAsync(TornPage torn, Window window, SourceTable table, CancellationToken cancellationToken)
    {
        var (encoder, key, value) = (new MessageEncoder(table.Schema), new ByteBuffer(), new ByteBuffer());
        var page = NextPage(table.Schema);
        if (window.For(table).Cursor is null) return page;
        var query = (window with { Cursor = torn.Before }).Query(table, window.Cursor);
        await using var copy = await CopyStream.OpenAsync(connection, query, cancellationToken);
        while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
        {
            // By the number of partitions that there were then: the topic may have more by now.
            var partition = DefaultPartitioner.Partition(key.Written, torn.Of);
            if (torn.Missing.Contains(partition) && !tooLarge.LeavesOut(table.Schema, key, value))
                page.Add(key.Written, value.Written, partition);
        }
        return page;
    }

    // Of keys that are there again by now the delete is left out: their rows come later, and say so.
    private async Task<Page> DeletesAgainAsync(TornPage torn, Window window, SourceTable table, CancellationToken cancellationToken)
    {
        if (table.Tombstones is not { } tombstones || window.For(table).Reading(tombstones).Deleted is not { } last)
            return NextPage(table.Schema);
        var query = tombstones.Query(window with { Deleted = torn.Before }, table, last);
        return await GoneAgainAsync(
            torn, query, new MessageEncoder(tombstones.Rows), NextPage(tombstones.Deletes, isDeletes: true), cancellationToken);
    }

    private async Task<Page> MarkedAgainAsync(TornPage torn, Window window, SourceTable table, CancellationToken cancellationToken)
    {
        var page = NextMarkedPage(table);
        if (table.DeletedWhen is null || window.For(table).Marked is null) return page;
        var query = (window with { Marked = torn.Before }).MarkedQuery(table, window.Marked);
        return await GoneAgainAsync(torn, query, new MessageEncoder(table.Places), page, cancellationToken);
    }

    private async Task<Page> GoneAgainAsync(
        TornPage torn, string query, MessageEncoder encoder, Page page, CancellationToken cancellationToken)
    {
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        await using var copy = await CopyStream.OpenAsync(connection, query, cancellationToken);
        while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
        {
            var partition = DefaultPartitioner.Partition(key.Written, torn.Of);
            if (torn.Missing.Contains(partition)) page.Add(key.Written, [], partition);
        }
        return page;
    }

    /// <summary>Deletes of those keys of which the table has no row now: of no window.</summary>
    /// <param name="keys">As texts that Postgres reads back.</param>
    /// <param name="source">The table.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<Page> ReadGoneAsync(
        ImmutableArray<ImmutableArray<string>> keys, SourceIdentity source, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var table = await LockAsync(window: null, cancellationToken);
        source.CheckSameTable(source with { TableOid = table.Oid });
        var shape = TombstoneTable.Of(options.Schema, options.Table + TombstoneTable.Suffix, table.Schema);
        var (encoder, key, value) = (new MessageEncoder(shape.Rows), new ByteBuffer(), new ByteBuffer());
        var page = NextPage(shape.Deletes, isDeletes: true);
        if (keys.IsEmpty) return page;
        await using (var copy = await CopyStream.OpenAsync(connection, TombstoneTable.Gone(table, keys), cancellationToken))
        {
            while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
                page.Add(key.Written, [], DefaultPartitioner.Partition(key.Written, partitions));
        }
        await transaction.CommitAsync(cancellationToken);
        return page;
    }

    // Windows are small but for a backlog, and the next one may be long in coming.
    private void DropLargePages()
    {
        for (var left = spare.Count; left > 0 && spare.TryDequeue(out var page); left--)
            if (page.Capacity <= KeptPageBytes) spare.Enqueue(page);
            else LargeAllocations.Count((int)page.Capacity);
    }

    private async Task FillAsync(Window window, SourceIdentity source, ChannelWriter<Page> pages, CancellationToken cancellationToken)
    {
        try
        {
            for (Window? rest = window; rest is not null;)
                rest = await ReadOneSnapshotAsync(rest, source, pages, cancellationToken);
            pages.Complete();
        }
        catch (Exception e)
        {
            pages.Complete(e);
        }
    }

    /// <returns>What is left of the window, null when nothing is.</returns>
    private async Task<Window?> ReadOneSnapshotAsync(
        Window window, SourceIdentity source, ChannelWriter<Page> pages, CancellationToken cancellationToken)
    {
        var opened = time.GetTimestamp();
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var table = await LockAsync(window, cancellationToken);
        // Invariant 6, under the lock: the name may lead to another table since it was last resolved.
        source.CheckSameTable(source with { TableOid = table.Oid });
        var now = window.For(table);
        if ((now.Cursor is null && window.Cursor is not null) || (now.Marked is null && window.Marked is not null))
            throw new PipelineException(FailureAction.Retry,
                "The table got another key while its rows were read.", "What is being read is read again from its beginning.");
        // The horizon answers for that table's: who comes after it reads none of them again.
        if (window.IsBeforeRows && window.To.Tombstones is { } oid && oid != table.Tombstones?.Oid)
            throw TombstoneTable.IsAnother();
        // Behind the first row that counts as deleted, none is left: by its cursor a torn page is known for what it was.
        if (window is { IsBeforeRows: true, Marked: null } && table.Tombstones is { } tombstones)
        {
            (window, var isDone) = await ReadDeletesAsync(window, table, tombstones, opened, pages, cancellationToken);
            if (!isDone) return window;
        }
        if (window.IsBeforeRows && table.DeletedWhen is not null)
        {
            (window, var isDone) = await ReadMarkedAsync(window, table, opened, pages, cancellationToken);
            if (!isDone) return window;
        }
        var encoder = new MessageEncoder(table.Schema);
        var key = new ByteBuffer();
        var value = new ByteBuffer();
        var page = NextPage(table.Schema);

        await using (var copy = await CopyStream.OpenAsync(connection, window.Query(table), cancellationToken))
        {
            while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
            {
                if (tooLarge.LeavesOut(table.Schema, key, value)) continue;
                page.Add(key.Written, value.Written, DefaultPartitioner.Partition(key.Written, partitions));
                if (page.Bytes < (window.Page == 0 ? options.PageBytes / FirstPageDivisor : options.PageBytes)) continue;

                page.Cursor = encoder.CursorAt(copy.Previous);
                await pages.WriteAsync(page, cancellationToken);
                window = window with { Page = window.Page + 1, Cursor = page.Cursor };
                page = NextPage(table.Schema);
                if (time.GetElapsedTime(opened) > TimeSpan.FromSeconds(options.SnapshotSeconds)) return window;
            }
            if (page.Records.Length > 0)
            {
                page.Cursor = encoder.CursorAt(copy.Previous);
                await pages.WriteAsync(page, cancellationToken);
            }
        }
        await transaction.CommitAsync(cancellationToken);
        return null;
    }

    /// <summary>
    /// The deletes of a window, before its rows and in their snapshot or an earlier one: no delete is behind a row of its key that was
    /// there when it was read (invariant 12).
    /// </summary>
    private async Task<(Window Left, bool IsDone)> ReadDeletesAsync(
        Window window, SourceTable table, TombstoneTable tombstones, long opened, ChannelWriter<Page> pages,
        CancellationToken cancellationToken)
    {
        var encoder = new MessageEncoder(tombstones.Rows);
        Page Next() => NextPage(tombstones.Deletes, isDeletes: true);
        return await FillWithGoneAsync(
            window, tombstones.Query(window, table), encoder, Next, (w, last) => w with { Deleted = last }, opened, pages,
            cancellationToken);
    }

    /// <summary>
    /// Those of its rows that count as deleted, before the others, for the same reason. By which of the two a row is told is decided by its
    /// only version that a snapshot shows; a later snapshot, and so a later page, shows a later one.
    /// </summary>
    private Task<(Window Left, bool IsDone)> ReadMarkedAsync(
        Window window, SourceTable table, long opened, ChannelWriter<Page> pages, CancellationToken cancellationToken) =>
        FillWithGoneAsync(
            window, window.MarkedQuery(table), new MessageEncoder(table.Places), () => NextMarkedPage(table),
            (w, last) => w with { Marked = last }, opened, pages, cancellationToken);

    private async Task<(Window Left, bool IsDone)> FillWithGoneAsync(
        Window window, string query, MessageEncoder encoder, Func<Page> next, Func<Window, Cursor, Window> behind, long opened,
        ChannelWriter<Page> pages, CancellationToken cancellationToken)
    {
        var (key, value, page) = (new ByteBuffer(), new ByteBuffer(), next());
        await using var copy = await CopyStream.OpenAsync(connection, query, cancellationToken);
        while (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken))
        {
            page.Add(key.Written, [], DefaultPartitioner.Partition(key.Written, partitions));
            if (page.Records.Length < DeletesMax && page.Bytes < options.PageBytes) continue;

            await WriteAsync();
            page = next();
            if (time.GetElapsedTime(opened) > TimeSpan.FromSeconds(options.SnapshotSeconds)) return (window, false);
        }
        if (page.Records.Length > 0) await WriteAsync();
        else spare.Enqueue(page);
        return (window, true);

        async Task WriteAsync()
        {
            page.Cursor = encoder.CursorAt(copy.Previous);
            await pages.WriteAsync(page, cancellationToken);
            window = behind(window with { Page = window.Page + 1 }, page.Cursor);
        }
    }

    /// <summary>
    /// The table, and the one snapshot in which it and all of its rows are read. Nothing of it leaves before what it shows is durable: a
    /// commit that came since the horizon hides a version that is in it, and if a crash took that commit back nobody would publish it.
    /// </summary>
    private async Task<SourceTable> LockAsync(Window? window, CancellationToken cancellationToken)
    {
        // Tombstones that its horizon does not answer for are read again whatever becomes of them.
        var withTombstones = window is { IsBeforeRows: true, To.Tombstones: not null };
        var table = await lockWait.OfAsync(
            connection, SourceCatalog.LockAsync(connection, options, withTombstones, cancellationToken), cancellationToken);
        await flush.OfSnapshotAsync(cancellationToken);
        return table;
    }

    private Page NextPage(TableSchema schema, bool isDeletes = false, bool isOfMarked = false) =>
        (spare.TryDequeue(out var page) ? page : new Page(options.PageBytes)).Begin(schema, isDeletes, isOfMarked);

    private Page NextMarkedPage(SourceTable table) =>
        NextPage(TombstoneTable.Of(options.Schema, options.Table, table.Schema).Deletes, isDeletes: true, isOfMarked: true);
}
