using System.Diagnostics.CodeAnalysis;

namespace OrdersStream.UnitTests.Stack;

/// <summary>
/// What a test needs is not installed: skipped on a laptop, a failure in CI, where a run that tests nothing must not look green.
/// </summary>
internal static class MissingTool
{
    [DoesNotReturn]
    public static void Tell(string reason)
    {
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase))
            Assert.Fail($"{reason} (CI=true: a missing tool is a failure.)");
        Assert.Skip(reason);
    }
}
