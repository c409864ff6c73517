using System.Diagnostics;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.Benchmarks.Running;

/// <summary>One data file as a reader meets it.</summary>
internal sealed record LakeFileSize(string Path, long Rows, long Bytes);

/// <summary>A lake's visible files, each footer read once.</summary>
internal sealed class LakeFiles(string path)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan CountTick = TimeSpan.FromMilliseconds(50);
    private readonly LakeFolder lake = new(path);
    private readonly Dictionary<string, LakeFileSize> known = [];

    public IReadOnlyCollection<LakeFileSize> Known => known.Values;

    /// <summary>Rows of all files, by their footers.</summary>
    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        await TakeNewAsync(cancellationToken);
        return known.Values.Sum(f => f.Rows);
    }

    /// <summary>The files that were not there at the last look.</summary>
    public async Task<IReadOnlyList<LakeFileSize>> TakeNewAsync(CancellationToken cancellationToken)
    {
        var fresh = new List<LakeFileSize>();
        foreach (var file in LakeReader.Files(lake).Where(f => !known.ContainsKey(f)).ToList())
        {
            var footer = await LakeReader.ReadFooterAsync(lake, file, cancellationToken);
            fresh.Add(known[file] = new(file, footer.Rows, lake.Find(file)!.Value.Bytes));
        }
        return fresh;
    }

    /// <summary>Returns when the files hold so many rows.</summary>
    public async Task UntilAsync(long rows, Child child, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(CountTick);
        while (await CountAsync(cancellationToken) < rows)
        {
            if (child.HasEnded) throw child.Failed("it ended before the lake had all rows");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    /// <summary>Seconds from a moment to the first visible file.</summary>
    public async Task<double?> FirstAsync(long since, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (!LakeReader.Files(lake).Any()) await timer.WaitForNextTickAsync(cancellationToken);
            return Stopwatch.GetElapsedTime(since).TotalSeconds;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }
}
