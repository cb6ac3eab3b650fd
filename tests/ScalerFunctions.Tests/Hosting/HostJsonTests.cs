using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>What host.json tells the Functions host, which reads it as configuration and its section <c>logging</c> as logging's.</summary>
public sealed class HostJsonTests
{
    private static readonly IConfiguration HostJson =
        new ConfigurationBuilder().AddJsonFile(Path.Combine(AppContext.BaseDirectory, "host.json")).Build();

    [Theory]
    [InlineData("Azure.Core")]
    [InlineData("Azure.Identity")]
    [InlineData("DurableTask.AzureStorage")]
    [InlineData("DurableTask.Core")]
    [InlineData("Host.Triggers.DurableTask")]
    public void What_an_idle_host_repeats_all_the_time_is_not_logged_and_its_warnings_are(string category)
    {
        using var loggers = Loggers();
        var logger = loggers.CreateLogger(category);

        Assert.False(logger.IsEnabled(LogLevel.Information));
        Assert.True(logger.IsEnabled(LogLevel.Warning));
    }

    [Theory]
    [InlineData("Function.SlotPoolEntity")]
    [InlineData("Function.Sweep.User")]
    [InlineData("Host.Results")]
    [InlineData("FuncScaler.ScalerFunctions.Durable.SlotPoolEntity")]
    public void What_the_app_does_is_logged(string category)
    {
        using var loggers = Loggers();

        Assert.True(loggers.CreateLogger(category).IsEnabled(LogLevel.Information));
    }

    [Fact]
    public void Of_many_traces_a_sample_is_kept_and_every_exception()
    {
        var sampling = HostJson.GetSection("logging:applicationInsights:samplingSettings");

        Assert.True(sampling.GetValue<bool>("isEnabled"));
        Assert.Equal(["Exception"], sampling["excludedTypes"]!.Split(';'));
    }

    private static ILoggerFactory Loggers() => LoggerFactory.Create(logging => logging
        .AddConfiguration(HostJson.GetSection("logging"))
        .Services.AddSingleton<ILoggerProvider>(new EnabledForAll()));

    /// <summary>A sink that takes everything, so that only the filters decide.</summary>
    private sealed class EnabledForAll : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
        }

        public void Dispose()
        {
        }
    }
}
