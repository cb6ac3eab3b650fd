using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FuncScaler.ScalerHost.Commands.PolicyPrograms;

/// <summary>
/// A policy's program, while one run goes on. A call is a line of JSON to its standard input, and the answer a line from its standard output.
/// The program's standard error is this program's, and its last line is told in errors.
/// </summary>
internal sealed class PolicyProcess : IDisposable
{
    private const int Protocol = 1;

    /// <summary>The longest line that is read, bytes.</summary>
    private const int LongestLine = 64 * 1024;

    /// <summary>How long a program may take to end once its standard input has.</summary>
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(2);

    private static readonly string[] Calls = ["arrived", "miss", "keep", "surplus", "standby", "forgotten"];

    private readonly string _name;
    private readonly TimeSpan _timeout;
    private readonly Process _process;
    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly Utf8JsonWriter _writer;
    private readonly byte[] _read = new byte[LongestLine];
    private int _readFrom;
    private int _readTo;
    private long _asked;
    private volatile string _lastError = "";
    private HashSet<string> _takes = [];

    private PolicyProcess(string name, TimeSpan timeout, Process process)
    {
        _name = name;
        _timeout = timeout;
        _process = process;
        _writer = new Utf8JsonWriter(_line);
        process.ErrorDataReceived += (_, e) =>
        {
            if (e.Data is { } line)
            {
                Console.Error.WriteLine(line);
                _lastError = string.IsNullOrWhiteSpace(line) ? _lastError : line;
            }
        };
        process.BeginErrorReadLine();
    }

    /// <summary>Whether waiting requests take whatever comes first.</summary>
    public bool Waits { get; private set; } = true;

    /// <summary>Starts a program and tells it what it is.</summary>
    /// <param name="name">The policy's name, for errors.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="option">What followed the policy's name; empty for nothing.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <exception cref="CommandException">It cannot be started, or does not answer as it should.</exception>
    public static PolicyProcess Start(string name, IReadOnlyList<string> command, string option, TimeSpan timeout)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CommandException(
                CommandException.BadUsage, $"--policy-command {name}: the program \"{RemoteWords.Clean(command[0])}\" cannot be started: {e.Message}", e);
        }

        var program = new PolicyProcess(name, timeout, process);
        try
        {
            program.Introduce(option);
            return program;
        }
        catch
        {
            program.Dispose();
            throw;
        }
    }

    /// <summary>Whether the program wants to be asked this.</summary>
    public bool Takes(string call) => _takes.Contains(call);

    /// <summary>Begins a call; its fields are to be written before <see cref="Ask"/>.</summary>
    public Utf8JsonWriter Begin(string call)
    {
        _line.ResetWrittenCount();
        _writer.Reset();
        _writer.WriteStartObject();
        _writer.WriteString("call", call);
        return _writer;
    }

    /// <summary>Sends the call that was begun, and waits for the answer.</summary>
    /// <exception cref="CommandException">The program has ended, takes too long, or answers what cannot be understood.</exception>
    public PolicyAnswer Ask(string call, MetaKey? function = null)
    {
        _asked++;
        _writer.WriteEndObject();
        _writer.Flush();
        _line.Write("\n"u8);
        var began = Stopwatch.GetTimestamp();
        try
        {
            var input = _process.StandardInput.BaseStream;
            if (!input.WriteAsync(_line.WrittenMemory).AsTask().Wait(_timeout) || !input.FlushAsync().Wait(_timeout))
            {
                throw Late(call, function);
            }
        }
        catch (Exception e) when (e is IOException or AggregateException { InnerException: IOException })
        {
            throw Ended(call, function);
        }

        var line = ReadLine(began, call, function);
        return new PolicyAnswer(line, what => Wrong(call, function, what));
    }

    public void Dispose()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already.
        }

        if (!_process.WaitForExit(EndWithin))
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        _writer.Dispose();
    }

    private void Introduce(string option)
    {
        var begin = Begin("begin");
        begin.WriteNumber("protocol", Protocol);
        begin.WriteString("option", option);
        var answer = Ask("begin");
        if (answer.Whole("protocol") is not Protocol and var other)
        {
            throw Wrong("begin", null, $"speaks protocol {other}; this version speaks protocol {Protocol}");
        }

        _takes = answer.Words("calls", Calls);
        Waits = !answer.Has("waits") || answer.Truth("waits");
        answer.Finish();
        if (!_takes.Contains("keep"))
        {
            throw Wrong("begin", null, "does not take the call keep, which every policy must");
        }
    }

    private string ReadLine(long began, string call, MetaKey? function)
    {
        var output = _process.StandardOutput.BaseStream;
        while (true)
        {
            var end = Array.IndexOf(_read, (byte)'\n', _readFrom, _readTo - _readFrom);
            if (end >= 0)
            {
                var line = Encoding.UTF8.GetString(_read, _readFrom, end - _readFrom);
                _readFrom = end + 1;
                return line;
            }

            Buffer.BlockCopy(_read, _readFrom, _read, 0, _readTo - _readFrom);
            (_readFrom, _readTo) = (0, _readTo - _readFrom);
            if (_readTo == _read.Length)
            {
                throw Wrong(call, function, $"answered with a line of more than {LongestLine} bytes");
            }

            var left = _timeout - Stopwatch.GetElapsedTime(began);
            var read = output.ReadAsync(_read.AsMemory(_readTo)).AsTask();
            if (left <= TimeSpan.Zero || !read.Wait(left))
            {
                throw Late(call, function);
            }

            if (read.Result == 0)
            {
                throw Ended(call, function);
            }

            _readTo += read.Result;
        }
    }

    private CommandException Late(string call, MetaKey? function)
    {
        _process.Kill(entireProcessTree: true);
        return Wrong(
            call, function, string.Create(CultureInfo.InvariantCulture, $"gave no answer within {_timeout.TotalSeconds:0.###} s. Its output must be flushed after each line; --policy-timeout gives it longer"));
    }

    private CommandException Ended(string call, MetaKey? function)
    {
        var how = "has closed its output";
        if (_process.WaitForExit(EndWithin))
        {
            // Without a limit it also waits for the last of standard error.
            _process.WaitForExit();
            how = $"ended with exit code {_process.ExitCode}";
        }

        return Wrong(call, function, _lastError.Length == 0 ? $"{how} and said nothing" : $"{how}; it said last: {RemoteWords.Clean(_lastError)}");
    }

    private CommandException Wrong(string call, MetaKey? function, string what)
    {
        var place = function is { } key ? $" of function '{RemoteWords.Clean(key.Value)}'" : "";
        return new CommandException(CommandException.Failed, $"The policy '{_name}', at call {_asked} ({call}{place}), {what}.");
    }
}
