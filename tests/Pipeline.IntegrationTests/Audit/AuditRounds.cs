using OrdersStream.Audit;
using OrdersStream.Durable;
using OrdersStream.TestKit;

namespace OrdersStream.IntegrationTests.Audit;

/// <summary>Waits for what the standing audit finds, round after round.</summary>
internal static class AuditRounds
{
    /// <param name="stream">Whose audit it is.</param>
    /// <param name="running">The process that compares.</param>
    /// <param name="max">Each round is news to who waits: after so many nothing more is to be hoped for.</param>
    /// <param name="isSo">What is waited for, behind a whole round.</param>
    public static Task UntilAsync(TestStream stream, Task running, int max, Func<AuditState, AuditFindings, bool> isSo)
    {
        var file = new AuditStateFile(stream.Options, CrashPoints.None);
        var rounds = new HashSet<DateTimeOffset>();
        return stream.UntilAsync(
            () =>
            {
                if (file.Read() is not { Last: { } last } state) return false;
                rounds.Add(last.EndedAt);
                Assert.True(rounds.Count < max, $"the audit says {state}\n{stream.Log}");
                return isSo(state, last);
            },
            running, () => $"the audit says {file.Read()}");
    }
}
