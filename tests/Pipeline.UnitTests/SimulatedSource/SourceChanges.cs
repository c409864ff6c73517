using System.Collections.Immutable;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>Changes of the table that its rows do not tell: one at a time, each a transaction that may stay open for a while.</summary>
internal sealed class SourceChanges(SourceHistory history, SourceClients clients)
{
    private const long Day = 24 * 3600 * SimulatedClock.Second;

    private readonly SimulatedServer server = history.Server;
    private readonly Random random = history.Random;
    private SimulatedTransaction? open;
    private int names;

    public void Step(EventKinds kind)
    {
        if (open is not null)
        {
            if (random.Next(2) == 0) End(commits: random.Next(6) > 0);
            return;
        }
        switch (kind)
        {
            case EventKinds.Rewrite:
                Rewrite();
                break;
            case EventKinds.Join:
                Join();
                break;
            case EventKinds.Guard when history.IsGuarded:
                PassGuard();
                break;
            case EventKinds.Values:
                ChangeValues();
                break;
        }
        if (random.Next(2) == 0) End(commits: true);
    }

    public void End(bool commits)
    {
        if (open is not { } change) return;
        open = null;
        history.Saw($"the change {change.Id} {(commits ? "commits" : "is rolled back")}");
        if (commits) server.Commit(change);
        else server.RollBack(change);
    }

    public void Died() => open = null;

    private void Begin(string what, TableLock strength, Func<Contents, ulong, Contents> change, Action<SimulatedTransaction>? writes = null)
    {
        if (!server.MayLock(strength)) return;
        open = server.Begin();
        (open.Lock, open.IsShown) = (strength, random.Next(3) > 0);
        var id = server.IdOf(open);
        writes?.Invoke(open);
        open.Change = contents => change(contents, id);
        history.Saw($"{what} by {id} ({(uint)id})");
    }

    private void Rewrite()
    {
        switch (random.Next(4))
        {
            case 0:
                Begin("ALTER TYPE USING", TableLock.All, (contents, id) => Rewritten(contents, id, _ => clients.NextVersion()));
                break;
            case 1:
                var value = $"v{++names}";
                Begin("ADD COLUMN of a volatile default", TableLock.All, (contents, id) => Rewritten(contents with
                {
                    Catalogue = contents.Catalogue.ColumnAdded(value, isFilled: false, id),
                }, id, r => r.Version));
                break;
            case 2:
                var kept = random.Next(1, 5);
                Begin("TRUNCATE and reload", TableLock.All, (contents, id) => Rewritten(
                    contents with { Rows = contents.Rows.RemoveRange(contents.Rows.Keys.Where(k => k % 5 == kept)) },
                    id, r => r.Key % 2 == 0 ? r.Version : clients.NextVersion()));
                break;
            default:
                Begin("VACUUM FULL", TableLock.All, (contents, id) => contents with { Catalogue = contents.Catalogue.WithNewFiles(id) });
                break;
        }
    }

    private static Contents Rewritten(Contents contents, ulong id, Func<RowVersion, int> version) => contents with
    {
        Rows = contents.Rows.SetItems(contents.Rows.Values
            .Select(r => KeyValuePair.Create(r.Key, r with { Id = id, Version = version(r) })).ToList()),
        Catalogue = contents.Catalogue.WithNewFiles(id),
    };

    private void Join()
    {
        var apart = server.Contents.Apart;
        var parts = server.Contents.Catalogue.Parts;
        if (apart.Count == 0 && parts.Length < 3) CreateApart((uint)(5000 + parts.Length));
        else if (apart.Count > 0 && random.Next(3) > 0) Attach(apart.Keys.ElementAt(random.Next(apart.Count)));
        else if (parts.Length > 1) Detach(parts[random.Next(1, parts.Length)].Oid);
    }

    private void CreateApart(uint oid) => Begin($"CREATE TABLE {oid}", TableLock.None, (contents, id) => contents with
    {
        Apart = contents.Apart.Add(oid, [.. Enumerable.Range(0, random.Next(1, 4)).Select(i =>
            new RowVersion(oid * 10 + i, server.Clock - random.NextInt64(Day), id, oid, clients.NextVersion()))]),
    });

    private void Attach(uint oid) => Begin($"INHERIT by {oid}", TableLock.None, (contents, id) => contents with
    {
        Rows = contents.Rows.SetItems(contents.Apart[oid].Select(r => KeyValuePair.Create(r.Key, r))),
        Catalogue = contents.Catalogue.Joined(oid, oid, id),
        Apart = contents.Apart.Remove(oid),
    });

    // Apart, others write into it without any care for the time.
    private void Detach(uint oid) => Begin($"NO INHERIT by {oid}", TableLock.All, (contents, id) => contents with
    {
        Rows = contents.Rows.RemoveRange(contents.Rows.Values.Where(r => r.Table == oid).Select(r => r.Key)),
        Catalogue = contents.Catalogue.Left(oid),
        Apart = contents.Apart.Add(oid, [.. contents.Rows.Values.Where(r => r.Table == oid).Select(r =>
            random.Next(2) == 0 ? r : r with { Id = id, Version = clients.NextVersion() })]),
    });

    private void PassGuard()
    {
        if (server.Contents.Catalogue.GuardBy is null)
        {
            Begin("the trigger is made again", TableLock.Writers, GuardWritten);
            return;
        }
        switch (random.Next(5))
        {
            case 4:
                Begin("the trigger is dropped", TableLock.All, (contents, _) => contents with
                {
                    Catalogue = contents.Catalogue.GuardDropped(),
                }, WriteDatedBack);
                break;
            case 3:
                clients.WriteDatedBack();
                Begin("the trigger's function was replaced while they wrote, and is put back", TableLock.None, GuardWritten);
                End(commits: true);
                break;
            case 0:
                Begin("the trigger's function is replaced and put back", TableLock.None, GuardWritten, WriteDatedBack);
                break;
            case 1:
                Begin("the trigger is off and on again", TableLock.Writers, GuardWritten, WriteDatedBack);
                break;
            default:
                Begin("the trigger is off", TableLock.Writers, (contents, id) => contents with
                {
                    Catalogue = contents.Catalogue.GuardWritten(id, isOn: false),
                });
                if (open is null) return;
                End(commits: true);
                Begin("rows are dated back", TableLock.None, (contents, _) => contents, WriteDatedBack);
                End(commits: true);
                Begin("the trigger is on", TableLock.Writers, GuardWritten);
                End(commits: true);
                break;
        }
    }

    private static Contents GuardWritten(Contents contents, ulong id) =>
        contents with { Catalogue = contents.Catalogue.GuardWritten(id, isOn: true) };

    private void WriteDatedBack(SimulatedTransaction transaction)
    {
        foreach (var key in new[] { random.Next(1, 6), random.Next(1, 6) })
            if (server.MayWrite(transaction, key)) clients.Write(transaction, key, server.Clock - random.NextInt64(2 * Day));
    }

    private void ChangeValues()
    {
        var name = $"n{++names}";
        switch (random.Next(4))
        {
            case 3:
                Begin("a label is added", TableLock.None, (contents, id) => contents with
                {
                    Catalogue = contents.Catalogue.LabelAdded(name, id),
                });
                break;
            case 0:
                Begin("a label is renamed", TableLock.None, (contents, id) => contents with
                {
                    Catalogue = contents.Catalogue.LabelRenamed(name, id),
                });
                break;
            case 1:
                Begin("ADD COLUMN with a default", TableLock.All, (contents, id) => contents with
                {
                    Catalogue = contents.Catalogue.ColumnAdded(name, isFilled: true, id),
                });
                break;
            default:
                Begin("RENAME COLUMN", TableLock.All, (contents, _) => contents with
                {
                    Catalogue = contents.Catalogue.ColumnRenamed(name),
                });
                break;
        }
    }
}
