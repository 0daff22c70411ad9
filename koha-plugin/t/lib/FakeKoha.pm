# SPDX-License-Identifier: GPL-3.0-or-later
package FakeKoha;

# A little Koha of our own: it does what the plugin asks of Koha, on SQLite, with real transactions, and it reckons in
# binary fractions and spills over as Koha does. No code of Koha's is in it.

use Mojo::Base -strict, -signatures;
use DBI;

our ($DBH, $USERENV, %PREFERENCE, %HOOK, %RIGHTS, $RENEWS, $DEPTH);

my @TABLES = (
    'borrowers (borrowernumber INTEGER PRIMARY KEY, userid, cardnumber, firstname, surname, branchcode, flags, email, debarred)',
    'branches (branchcode TEXT PRIMARY KEY, branchname)',
    'cash_registers (id INTEGER PRIMARY KEY, name)',
    'accountlines (accountlines_id INTEGER PRIMARY KEY AUTOINCREMENT, borrowernumber, itemnumber, date, amount TEXT, '
        . 'amountoutstanding TEXT, credit_type_code, debit_type_code, credit_number, status, payment_type, note, '
        . 'description, manager_id, register_id, interface, branchcode)',
    'account_offsets (id INTEGER PRIMARY KEY AUTOINCREMENT, credit_id, debit_id, type, amount TEXT)',
    'issues (itemnumber INTEGER PRIMARY KEY, borrowernumber)',
    'message_queue (message_id INTEGER PRIMARY KEY AUTOINCREMENT, borrowernumber, letter_code)',
    'plugin_data (plugin_class, plugin_key, plugin_value, PRIMARY KEY (plugin_class, plugin_key))',
);

# A library CPL with a register, the patron 51, the librarian 17 (Anna, who may refund) and the account 3 of the bridge.
sub begin {
    $DBH = DBI->connect('dbi:SQLite:dbname=:memory:', '', '',
        {RaiseError => 1, PrintError => 0, AutoCommit => 1, sqlite_unicode => 1, RootClass => 'FakeKoha::DBI'});
    $DBH->do("CREATE TABLE $_") for @TABLES;
    $DEPTH      = 0;
    %HOOK       = ();
    %PREFERENCE = (staffClientBaseURL => 'https://staff.example.org');
    %RIGHTS     = (
        17 => {map { $_ => 1 } qw(remaining_permissions refund payout)},
        3  => {remaining_permissions => 1},
        18 => {}
    );
    $RENEWS = undef;
    run("INSERT INTO branches VALUES ('CPL', 'Central')");
    run("INSERT INTO cash_registers VALUES (2, 'Desk')");
    run('INSERT INTO borrowers VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)', @$_)
        for [3, 'bridge', 'B3', 'The', 'Bridge', 'CPL', 0, undef],
        [17, 'anna', 'A17', 'Änna', 'Ahlström', 'CPL', 0, 'anna@example.org'],
        [18, 'bert', 'B18', 'Bert', 'B',     'CPL', 0, undef], [51, 'pat', '12345', 'Пётр', "O'Näill", 'CPL', 0, undef],
        [52, undef,  '52',  undef,  'Other', 'CPL', 0, undef];
    $USERENV = {number => 3, id => 'bridge', branch => 'CPL', firstname => 'The', surname => 'Bridge'};
    return;
}

# Owes: type => OVERDUE, amount => '6.00', and whatever else a line has. Returns its id.
sub charge (%line) {
    my $line = Koha::Account::Line->new({
        borrowernumber    => 51,
        debit_type_code   => 'OVERDUE',
        amountoutstanding => $line{amount},
        interface         => 'intranet',
        branchcode        => 'CPL',
        %line,
    })->store;
    return $line->id;
}

sub owed ($id) { return value('SELECT amountoutstanding FROM accountlines WHERE accountlines_id = ?', $id) }

sub rows ($sql, @values) {
    my $statement = $DBH->prepare($sql);
    $statement->execute(@values);
    return @{$statement->fetchall_arrayref({})};
}

sub value ($sql, @values) { return (values %{(rows($sql, @values))[0] // {}})[0] }

sub run ($sql, @values) { return $DBH->prepare($sql)->execute(@values) }

# Everything that money is in, to see that nothing has changed.
sub books {
    return join "\n", map {
        join '|', map { $_ // '' } @$_{sort keys %$_}
    } map { rows("SELECT * FROM $_") } qw(accountlines account_offsets message_queue);
}

sub decimal ($number) { return sprintf '%.6f', $number }

sub hook ($name, @values) { return $HOOK{$name} ? $HOOK{$name}->(@values) : undef }

package FakeKoha::DBI {
    our @ISA = ('DBI');
}

package FakeKoha::DBI::st {
    our @ISA = ('DBI::st');
}

# Says MySQL's words in SQLite's.
package FakeKoha::DBI::db {
    use Mojo::Base -strict, -signatures;
    our @ISA = ('DBI::db');

    sub prepare ($self, $sql, @rest) {
        FakeKoha::hook(sql => $sql);
        $sql =~ s/ FOR UPDATE\z//;
        $sql =~ s/ CHARACTER SET ascii COLLATE ascii_bin//g;
        $sql =~ s/, KEY booking \(booking\)//;
        $sql =~ s/ ENGINE=.*\z//;
        $sql =~ s/\bamount (?=[<=] 0)/amount + 0 /g;           # kept as text, to the last place
        return $self->SUPER::prepare($sql, @rest);
    }
}

package C4::Context {
    sub dbh        { $FakeKoha::DBH }
    sub userenv    { $FakeKoha::USERENV }
    sub preference { $FakeKoha::PREFERENCE{$_[1]} }

    sub set_userenv {
        my ($class, @values) = @_;
        my @names = qw(number id cardnumber firstname surname branch branchname flags emailaddress
            shibboleth desk_id desk_name register_id register_name session_id);
        $FakeKoha::USERENV = {map { $names[$_] => $values[$_] } 0 .. $#names};
    }
}

package Koha::Database {
    use Mojo::Base -strict, -signatures;

    sub new               ($class) { return bless {}, $class }
    sub schema            ($self)  { return $self }
    sub storage           ($self)  { return $self }
    sub transaction_depth ($self)  { return $FakeKoha::DEPTH }

    sub txn_do ($self, $work) {
        return $work->() if $FakeKoha::DEPTH;
        local $FakeKoha::DEPTH = 1;
        $FakeKoha::DBH->begin_work;
        if (eval { $work->(); FakeKoha::hook('commit'); 1 }) {
            $FakeKoha::DBH->commit;
            return;
        }
        my $error = $@;
        $FakeKoha::DBH->rollback;
        die $error;
    }
}

package FakeKoha::Row {
    use Mojo::Base -strict, -signatures;

    sub new ($class, $row) { return bless {%$row}, $class }

    sub with ($class, @names) {
        no strict 'refs';
        for my $name (@names) {
            *{"${class}::$name"} =
                sub ($self, @value) { return $self->{$name} unless @value; $self->{$name} = $value[0]; return $self };
        }
    }
}

package Koha::Patron {
    use Mojo::Base -strict, -signatures;
    our @ISA = ('FakeKoha::Row');
    __PACKAGE__->with(qw(borrowernumber userid cardnumber firstname surname branchcode flags email debarred));

    sub has_permission ($self, $right) { return $FakeKoha::RIGHTS{$self->borrowernumber}{$right->{updatecharges}} }
    sub can_see_patron_infos ($self, $patron) { return $patron->surname ne 'Other' }
    sub is_debarred          ($self)          { return $self->debarred }
}

package FakeKoha::Rows {
    use Mojo::Base -strict, -signatures;

    sub of ($class, $table, $key, $row_class) {
        no strict 'refs';
        *{"${class}::find"} = sub ($class, $wanted) {
            my ($name, $value) = ref $wanted ? %$wanted : ($key, $wanted);
            return map { $row_class->new($_) } FakeKoha::rows("SELECT * FROM $table WHERE $name = ? LIMIT 1", $value)
                if wantarray;
            my ($row) = FakeKoha::rows("SELECT * FROM $table WHERE $name = ?", $value);
            return $row ? $row_class->new($row) : undef;
        };
    }
}

package Koha::Library { our @ISA = ('FakeKoha::Row'); __PACKAGE__->with(qw(branchcode branchname)) }

package Koha::Cash::Register { our @ISA = ('FakeKoha::Row'); __PACKAGE__->with(qw(id name)) }

package Koha::Patrons { our @ISA = ('FakeKoha::Rows'); __PACKAGE__->of('borrowers', 'borrowernumber', 'Koha::Patron') }

package Koha::Libraries { our @ISA = ('FakeKoha::Rows'); __PACKAGE__->of('branches', 'branchcode', 'Koha::Library') }

package Koha::Cash::Registers
{ our @ISA = ('FakeKoha::Rows'); __PACKAGE__->of('cash_registers', 'id', 'Koha::Cash::Register') }

package Koha::Acquisition::Currencies {
    sub get_active { bless {}, shift }
    sub currency   { 'EUR' }
}

package Koha {
    sub version { '23.05.04.000' }
}

# No cipher, but it hides, and says nothing sensible with another key.
package Koha::Encryption {
    use Mojo::Base -strict, -signatures;
    our $KEY = 'a';

    sub new ($class) { die "No encryption_key\n" unless defined $KEY; return bless {}, $class }
    sub encrypt_hex ($self, $text) { return unpack 'H*', $KEY . reverse $text }

    sub decrypt_hex ($self, $hex) {
        my ($key, $text) = unpack 'aa*', pack 'H*', $hex;
        return $key eq $KEY ? scalar reverse $text : 'rubbish';
    }
}

package Koha::Token {
    sub new           { bless {}, shift }
    sub generate_csrf { "token of $_[1]{session_id}" }
    sub check_csrf    { $_[1]{token} eq "token of $_[1]{session_id}" }
}

package Koha::Plugins::Base {
    use Mojo::Base -strict, -signatures;
    use Mojo::File qw(path);

    sub new ($class, $args) {
        my $self = bless {%$args, class => $class}, $class;
        $self->install && $self->store_data({__ENABLED__ => 1, __INSTALLED__ => 1})
            unless $self->retrieve_data('__INSTALLED__');
        return $self;
    }
    sub get_metadata             ($self)        { return $self->{metadata} }
    sub get_qualified_table_name ($self, $name) { return lc join '_', split(/::/, $self->{class}), $name }
    sub is_enabled               ($self)        { return $self->retrieve_data('__ENABLED__') }
    sub mbf_read ($self, $name) { return path($INC{'Koha/Plugin/Tillbridge/Register.pm'} =~ s/\.pm\z//r, $name)->slurp }

    sub retrieve_data ($self, $key) {
        return FakeKoha::value('SELECT plugin_value FROM plugin_data WHERE plugin_class = ? AND plugin_key = ?',
            $self->{class}, $key);
    }

    sub store_data ($self, $data) {
        FakeKoha::run('REPLACE INTO plugin_data VALUES (?, ?, ?)', $self->{class}, $_, $data->{$_}) for keys %$data;
    }
    sub get_template ($self, $args)   { return $self->{template} = FakeKoha::Template->new({}) }
    sub output_html  ($self, @output) { return $self->{output}   = \@output }
}

package FakeKoha::Template {
    use Mojo::Base -strict, -signatures;
    our @ISA = ('FakeKoha::Row');

    sub param  ($self, %values) { %$self = (%$self, %values); return }
    sub output ($self)          { '<html>' }
}

package FakeKoha;

$INC{$_} = __FILE__ for qw(
    C4/Context.pm Koha.pm Koha/Account.pm Koha/Account/Line.pm Koha/Account/Lines.pm Koha/Account/Offset.pm
    Koha/Acquisition/Currencies.pm Koha/Cash/Registers.pm Koha/Database.pm Koha/Encryption.pm Koha/Libraries.pm
    Koha/Patrons.pm Koha/Plugins/Base.pm Koha/Token.pm
);

require FakeKoha::Accounts;

begin();

1;
