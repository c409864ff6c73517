namespace OrdersStream.LocalHost.Terminal;

/// <summary>What the process tells its caller.</summary>
public static class ExitCode
{
    public const int Ok = 0;

    /// <summary>Something failed, or lake and table differ.</summary>
    public const int Failure = 1;

    /// <summary>The command line or the configuration cannot be used; nothing was started.</summary>
    public const int BadUsage = 2;
}
