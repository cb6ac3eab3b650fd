using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>What an operator has written about a backend.</summary>
public sealed record BackendSettings
{
    /// <summary>A platform's address, "host:port" or an http(s) address; for kinds that have one.</summary>
    public string Address { get; init; } = "127.0.0.1:50051";

    /// <summary>A JSON object, for kinds that need one (<see cref="BackendKind.FileName"/>).</summary>
    public string Json { get; init; } = "{}";

    /// <summary>What relative folders in <see cref="Json"/> are relative to; the process's own folder by default.</summary>
    public string Folder { get; init; } = "";

    /// <summary>A name that all scalers share who create slots for each other, at one time or one after the other; null for a scaler that is alone.</summary>
    public string? SharedRun { get; init; }
}

/// <summary>What backends use of their host.</summary>
public sealed record BackendServices
{
    /// <summary>The clock and its timers.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where backends log.</summary>
    public ILoggerFactory Loggers { get; init; } = NullLoggerFactory.Instance;
}

/// <summary>Settings of a backend are wrong. The message has a sentence for each error, on lines of their own.</summary>
public sealed class BackendSettingsException : Exception
{
    public BackendSettingsException()
        : this(["The backend's settings are wrong."])
    {
    }

    public BackendSettingsException(string message)
        : this([message])
    {
    }

    public BackendSettingsException(string message, Exception innerException)
        : base(message, innerException) => Errors = [message];

    public BackendSettingsException(IReadOnlyList<string> errors)
        : base(string.Join('\n', errors)) => Errors = errors;

    /// <summary>A sentence for each thing that is wrong.</summary>
    public IReadOnlyList<string> Errors { get; }
}
