namespace OrdersStream.LocalHost.Terminal;

/// <summary>What the process tells its caller.</summary>
public static class ExitCode
{
    public const int Ok = 0;

    /// <summary>Something failed, or lake and table differ.</summary>
    public const int Failure = 1;

    /// <summary>Of a command that gives a verdict: it cannot be told.</summary>
    public const int Unknown = 2;

    /// <summary>The command line or the configuration cannot be used; nothing was started.</summary>
    public const int BadUsage = 2;

    /// <summary>
    /// Not all that was there is done, and nothing failed: another instance captures the table, committed rows wait for the end of
    /// somebody's transaction, it was told to end before, or something hung when it was.
    /// </summary>
    public const int NotAllDone = 3;

    /// <summary>And the signal's number behind it: a second one ended the process at once, and nothing is said of anything.</summary>
    public const int Signal = 128;
}
