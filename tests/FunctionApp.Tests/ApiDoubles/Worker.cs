using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Azure.Functions.Worker
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class FunctionAttribute(string name) : Attribute
    {
        public string Name { get; } = name;
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class FixedDelayRetryAttribute(int maxRetryCount, string delayInterval) : Attribute
    {
        public int MaxRetryCount { get; } = maxRetryCount;
        public string DelayInterval { get; } = delayInterval;
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class ExponentialBackoffRetryAttribute(int maxRetryCount, string minimumInterval, string maximumInterval) : Attribute
    {
        public int MaxRetryCount { get; } = maxRetryCount;
        public string MinimumInterval { get; } = minimumInterval;
        public string MaximumInterval { get; } = maximumInterval;
    }

    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class TimerTriggerAttribute(string schedule) : Attribute
    {
        public string Schedule { get; } = schedule;
        public bool RunOnStartup { get; set; }
        public bool UseMonitor { get; set; } = true;
    }

    public sealed class TimerInfo
    {
        public bool IsPastDue { get; set; }
    }
}

namespace Microsoft.Azure.Functions.Worker.Builder
{
    public sealed class FunctionsApplicationBuilder
    {
        internal FunctionsApplicationBuilder()
        {
        }

        public IServiceCollection Services { get; } = new ServiceCollection();

        public IHost Build() => throw new NotSupportedException("a double of the API runs no host");
    }

    public static class FunctionsApplication
    {
        public static FunctionsApplicationBuilder CreateBuilder(string[] args) => new();
    }
}
