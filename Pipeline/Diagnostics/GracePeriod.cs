namespace OrdersStream.Diagnostics;

/// <summary>
/// A token that follows another one after a while: what is better ended than broken off has that long for it, and a server that is away
/// keeps nobody from stopping.
/// </summary>
public sealed class GracePeriod : IDisposable
{
    private readonly CancellationTokenSource after = new();
    private readonly CancellationTokenRegistration registration;

    public GracePeriod(CancellationToken stop, TimeSpan time) => registration = stop.Register(() => after.CancelAfter(time));

    public CancellationToken Token => after.Token;

    public void Dispose()
    {
        registration.Dispose();
        after.Dispose();
    }
}
