using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace OrdersStream.UnitTests.Fuzzing;

/// <summary>
/// Changes kept inputs, and checks what becomes of them, for a few seconds, or for FUZZ_SECONDS. An input whose outcome was not seen before
/// is changed further. The seed is printed; FUZZ_SEED replays it. An input that fails belongs in Corpus/, which each run checks first.
/// </summary>
/// <param name="target">Its folder in Corpus/.</param>
/// <param name="check">
/// Returns what became of an input, in words that are the same for inputs of one kind; throws where a rule is broken.
/// </param>
internal sealed class Fuzzer(string target, Func<byte[], string> check)
{
    private const int KeptMax = 2_000, BytesMax = 64 * 1024;
    private static readonly TimeSpan HangAfter = TimeSpan.FromSeconds(60);

    private byte[]? current;

    /// <summary>Inputs to begin with, beside the corpus.</summary>
    public IReadOnlyList<byte[]> Seeds { get; init; } = [];

    /// <summary>Pieces that mean something to the target.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    public static TimeSpan Budget => TimeSpan.FromSeconds(Number("FUZZ_SECONDS") ?? 2);

    /// <summary>The kept inputs of a target.</summary>
    public static IEnumerable<string> Corpus(string target) =>
        Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Fuzzing", "Corpus", target)).Order(StringComparer.Ordinal);

    public async Task RunAsync()
    {
        var seed = (int)(Number("FUZZ_SEED") ?? Random.Shared.Next());
        TestContext.Current.TestOutputHelper?.WriteLine($"{target}: FUZZ_SEED={seed}");
        var running = Task.Run(() => Run(seed), TestContext.Current.CancellationToken);
        while (await Task.WhenAny(running, Task.Delay(HangAfter, TestContext.Current.CancellationToken)) != running)
            Assert.True(Stopwatch.GetElapsedTime(Volatile.Read(ref begun)) < HangAfter,
                $"{target} hangs, FUZZ_SEED={seed}\n{Show(current)}");
        TestContext.Current.TestOutputHelper?.WriteLine(await running);
    }

    private long begun = Stopwatch.GetTimestamp();

    private string Run(int seed)
    {
        var mutator = new Mutator(new Random(seed), Words, BytesMax);
        var kept = Corpus(target).Select(File.ReadAllBytes).Concat(Seeds).ToList();
        var outcomes = new HashSet<string>();
        foreach (var input in kept) outcomes.Add(Check(input, seed));
        var runs = (long)kept.Count;
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < Budget; runs++)
        {
            var input = mutator.Change(kept);
            var outcome = Check(input, seed);
            if (kept.Count < KeptMax && outcomes.Add(outcome)) kept.Add(input);
        }
        return string.Create(CultureInfo.InvariantCulture, $"{target}: {runs:N0} inputs, {outcomes.Count:N0} outcomes");
    }

    private string Check(byte[] input, int seed)
    {
        current = input;
        Volatile.Write(ref begun, Stopwatch.GetTimestamp());
        try
        {
            return check(input);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{target}, FUZZ_SEED={seed}: {e.Message}\n{Show(input)}", e);
        }
    }

    private static string Show(byte[]? input) =>
        input is null ? "" : $"{Encoding.Latin1.GetString(input)}\nbase64 {Convert.ToBase64String(input)}";

    private static long? Number(string variable) =>
        long.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}
